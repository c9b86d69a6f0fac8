"""What `prepare` says of a migration before it is applied: which tables it locks, against whom, and for how long."""

import pytest
from django.db import connection

from papertrade.operations import upgrading
from papertrade.operations.table_locks import Lock, Waits, at_once, locks_of
from papertrade.operations.upgrading import ROWS_A_SECOND, Step, UnfitError, refuse_unfit


@pytest.mark.parametrize(
    ("statement", "waits", "reads"),
    [
        ('ALTER TABLE "t" ADD COLUMN "x" integer NULL;', Waits.EVERYBODY, False),
        ("ALTER TABLE t ADD COLUMN x integer DEFAULT 1 NOT NULL", Waits.EVERYBODY, False),
        ("ALTER TABLE t ADD COLUMN x uuid DEFAULT gen_random_uuid() NOT NULL", Waits.EVERYBODY, True),
        ("ALTER TABLE ONLY public.t DROP COLUMN x CASCADE", Waits.EVERYBODY, False),
        ("ALTER TABLE t ALTER COLUMN x TYPE varchar(24)", Waits.EVERYBODY, True),
        ("ALTER TABLE t ALTER COLUMN x SET NOT NULL", Waits.EVERYBODY, True),
        ('ALTER TABLE "t" ADD CONSTRAINT "c" CHECK (x > 0)', Waits.EVERYBODY, True),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (x > 0) NOT VALID", Waits.EVERYBODY, False),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", Waits.NOBODY, True),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (x)", Waits.EVERYBODY, True),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i", Waits.EVERYBODY, False),
        ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES u (id)", Waits.WRITERS, True),
        ("ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)", Waits.EVERYBODY, True),
        ('CREATE INDEX "i" ON "t" ("x")', Waits.WRITERS, True),
        ('CREATE INDEX "i" ON ONLY "t" ("x")', Waits.WRITERS, False),
        ('CREATE UNIQUE INDEX CONCURRENTLY "i" ON "t" ("x") WHERE x > 0', Waits.NOBODY, True),
        ("CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()", Waits.WRITERS, False),
        ("DROP TABLE t CASCADE", Waits.EVERYBODY, False),
        ("UPDATE t SET x = 1", Waits.NOBODY, True),
    ],
)
def test_a_statement_locks(statement: str, waits: Waits, reads: bool) -> None:
    assert locks_of(statement) == [Lock("t", waits, reads)]


def test_several_statements() -> None:
    text = """
        -- ALTER TABLE in_a_comment ADD COLUMN x integer;
        CREATE TABLE made (id bigint); CREATE INDEX i ON made (id);
        CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE in_a_body SET x = 1; END $$;
        DO $$ BEGIN IF now() > 'today' THEN EXECUTE format('ALTER TABLE v ADD CONSTRAINT c CHECK (at < %L) NOT VALID', now()); END IF; END $$;
        CREATE INDEX j ON t (x); ALTER TABLE t ADD COLUMN y integer; ALTER TABLE u DROP COLUMN z;
    """
    found = locks_of(text)
    assert found == [
        Lock("v", Waits.EVERYBODY, False),
        Lock("t", Waits.WRITERS, True),
        Lock("t", Waits.EVERYBODY, False),
        Lock("u", Waits.EVERYBODY, False),
    ]
    assert at_once(found)[1] == Lock("t", Waits.EVERYBODY, True), "in one transaction"


@pytest.mark.parametrize(("whole", "other"), [(True, "about 12 s"), (False, "an instant")])
def test_what_operators_read(whole: bool, other: str) -> None:
    """A lock is held until the end of its transaction."""
    locks = [(Lock("t", Waits.WRITERS, True), 12 * ROWS_A_SECOND), (Lock("u", Waits.EVERYBODY, False), 7)]
    assert list(Step("orders.0009_x", locks, whole, python=True).sentences()) == [
        "orders.0009_x: t (3,000,000 rows): writers wait for about 12 s",
        f"orders.0009_x: u (7 rows): readers and writers wait for {other}",
        "orders.0009_x: and rows are written by a program, beside which others go on",
    ]


def test_a_postgresql_that_is_too_old_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unfit()
    monkeypatch.setattr(connection, "pg_version", 160_004)
    with pytest.raises(UnfitError, match="PostgreSQL 16, and papertrade needs 17 or newer"):
        refuse_unfit()


def test_a_database_that_is_up_to_date_has_no_plan(db: None) -> None:
    assert list(upgrading.plan()) == []
