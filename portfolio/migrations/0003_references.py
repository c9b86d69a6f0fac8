"""What every order adds points at rows that exist: checked once for a statement, not row by row.

The rows pointed at cannot be deleted, so a check at the insert is enough, and nothing needs to be locked for it. The
planner is kept to probing the key: its first plan is kept while a session lasts, and may have seen small tables.
"""

from django.db import migrations, models
from django.db.models import PROTECT

REFERENCES = {
    "portfolio_accountevent": {"book_id": "portfolio_book"},
    "portfolio_equitysnapshot": {"book_id": "portfolio_book"},
    "portfolio_position": {"book_id": "portfolio_book"},
    "portfolio_ledgertransaction": {"book_id": "portfolio_book", "quote_id": "marketdata_quoterecord"},
}
ONLY_PROBES = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"


def check_references(table: str, references: dict[str, str]) -> str:
    """The trigger of a table whose columns, by name, point at the id of another table or are NULL."""
    checks = "".join(
        f"""
    IF EXISTS (SELECT FROM added WHERE {column} IS NOT NULL
               AND NOT EXISTS (SELECT FROM {target} WHERE id = added.{column})) THEN
        RAISE EXCEPTION '{table}.{column} points at no row of {target}' USING ERRCODE = 'foreign_key_violation';
    END IF;"""
        for column, target in references.items()
    )
    return f"""
CREATE FUNCTION {table}_references() RETURNS trigger LANGUAGE plpgsql {ONLY_PROBES} AS $$
BEGIN{checks}
    RETURN NULL;
END $$;

CREATE TRIGGER points_at_rows AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {table}_references();
"""


def drop_references(table: str) -> str:
    return f"DROP TRIGGER points_at_rows ON {table}; DROP FUNCTION {table}_references();"


def keep_rows(table: str) -> str:
    """Triggers that keep the rows of a table, and their ids, forever."""
    return f"""
CREATE TRIGGER kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION portfolio_refuse_change();
CREATE TRIGGER kept_id BEFORE UPDATE OF id ON {table} FOR EACH ROW EXECUTE FUNCTION portfolio_refuse_change();
CREATE TRIGGER kept_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION portfolio_refuse_change();
"""


def drop_keeping(table: str) -> str:
    return "".join(f"DROP TRIGGER {trigger} ON {table};" for trigger in ("kept", "kept_id", "kept_truncate"))


SEALS = ("portfolio_refuse_sealed", "portfolio_refuse_unbalanced")
PROBE = "".join(f"ALTER FUNCTION {function} {ONLY_PROBES};" for function in SEALS)
PROBE_UNDO = "".join(f"ALTER FUNCTION {function} RESET ALL;" for function in SEALS)


def points_at(target: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(target, PROTECT, db_index=False, db_constraint=False, **options)


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0002_guards"), ("portfolio", "0002_guards")]

    operations = [
        migrations.AlterField("accountevent", "book", points_at("portfolio.book", related_name="events")),
        migrations.AlterField("equitysnapshot", "book", points_at("portfolio.book", related_name="snapshots")),
        migrations.AlterField("position", "book", points_at("portfolio.book", related_name="positions")),
        migrations.AlterField(
            "ledgertransaction", "book", points_at("portfolio.book", related_name="ledger_transactions")
        ),
        migrations.AlterField(
            "ledgertransaction", "quote", points_at("marketdata.quoterecord", related_name="+", null=True)
        ),
        migrations.RunSQL(
            keep_rows("portfolio_book") + "".join(check_references(*item) for item in REFERENCES.items()) + PROBE,
            PROBE_UNDO + "".join(map(drop_references, REFERENCES)) + drop_keeping("portfolio_book"),
        ),
    ]
