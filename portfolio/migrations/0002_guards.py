"""Triggers: the ledger cannot be changed, unbalanced, or added to; events and snapshots only grow.

Each is one statement-level trigger with a transition table: its cost is one join per statement, not a call per row.
Entries are inserted before the transaction row, which seals them (the foreign key is deferred to the commit).
"""

from django.db import migrations

APPEND_ONLY = [
    "portfolio_ledgertransaction",
    "portfolio_ledgerentry",
    "portfolio_accountevent",
    "portfolio_equitysnapshot",
]

FUNCTIONS = """
-- money.round_money in SQL: half to even, for values that are not negative.
CREATE FUNCTION portfolio_round_half_even(value numeric, scale int) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN mod(value * power(10::numeric, scale), 1) = 0.5
            THEN round(2 * round(value * power(10::numeric, scale) / 2) / power(10::numeric, scale), scale)
            ELSE round(value, scale) END;

CREATE FUNCTION portfolio_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION portfolio_refuse_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added JOIN portfolio_ledgertransaction t ON t.id = added.transaction_id) THEN
        RAISE EXCEPTION 'a ledger transaction is sealed: no entry can be added'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION portfolio_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT added.id INTO wrong
    FROM added LEFT JOIN portfolio_ledgerentry e ON e.transaction_id = added.id
    GROUP BY added.id
    HAVING count(e.id) < 2 OR sum(e.debit) <> sum(e.credit)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not at least two entries that balance', wrong
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER entry_not_into_sealed AFTER INSERT ON portfolio_ledgerentry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION portfolio_refuse_sealed();

CREATE TRIGGER transaction_balances AFTER INSERT ON portfolio_ledgertransaction
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION portfolio_refuse_unbalanced();
"""

GUARDS = "".join(
    f"""
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION portfolio_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION portfolio_refuse_change();
"""
    for table in APPEND_ONLY
)

UNDO = (
    "".join(
        f"DROP TRIGGER append_only ON {table}; DROP TRIGGER append_only_truncate ON {table};" for table in APPEND_ONLY
    )
    + """
DROP TRIGGER entry_not_into_sealed ON portfolio_ledgerentry;
DROP TRIGGER transaction_balances ON portfolio_ledgertransaction;
DROP FUNCTION portfolio_refuse_unbalanced();
DROP FUNCTION portfolio_refuse_sealed();
DROP FUNCTION portfolio_refuse_change();
DROP FUNCTION portfolio_round_half_even(numeric, int);
"""
)


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0001_initial")]

    operations = [migrations.RunSQL(FUNCTIONS + GUARDS, UNDO)]
