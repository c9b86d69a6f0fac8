"""Migration operations that block neither readers nor writers. Knows no table."""

from typing import Any

from django.db.migrations.operations import AddIndex

_LEAVES = """
    SELECT c.relname FROM pg_partition_tree(%s::regclass) t JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf ORDER BY 1
"""


class AddIndexBesideWriters(AddIndex):
    """CREATE INDEX CONCURRENTLY, also on a partitioned table, where PostgreSQL offers it for the partitions alone.

    It may be run again after it was interrupted. For migrations with `atomic = False`.
    """

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        table, name, quote = model._meta.db_table, self.index.name, schema_editor.quote_name
        create = str(self.index.create_sql(model, schema_editor))
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [table])
            is_partitioned = cursor.fetchone() == ("p",)
            cursor.execute(_LEAVES, [table])
            leaves = [leaf for (leaf,) in cursor.fetchall()]

        def run(statement: str) -> None:
            schema_editor.execute(statement, params=None)  # sqlmigrate only collects it

        if not is_partitioned:
            run(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}")
            run(_replaced(create, "CREATE INDEX", "CREATE INDEX CONCURRENTLY"))
            return
        run(f"DROP INDEX IF EXISTS {quote(name)}")
        run(_replaced(create, f"ON {quote(table)}", f"ON ONLY {quote(table)}"))
        for leaf in leaves:
            of_leaf = f"{leaf}_{name}"
            run(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(of_leaf)}")
            beside = _replaced(create, f"CREATE INDEX {quote(name)}", f"CREATE INDEX CONCURRENTLY {quote(of_leaf)}")
            run(_replaced(beside, f"ON {quote(table)}", f"ON {quote(leaf)}"))
            run(f"ALTER INDEX {quote(name)} ATTACH PARTITION {quote(of_leaf)}")


def _replaced(statement: str, part: str, by: str) -> str:
    if part not in statement:
        raise ValueError(f"{part!r} is not in {statement!r}")
    return statement.replace(part, by, 1)
