"""Events say what a fill or a settlement did; a ledger transaction whose money rounds to nothing is sealed without entries.

Columns that may be empty: the release before goes on, and its rows leave them so.
"""

from importlib import import_module

from django.db import migrations, models
from django.db.models import Q

ONLY_PROBES = import_module("portfolio.migrations.0003_references").ONLY_PROBES

# As portfolio.ledger.may_lack_entries.
SEAL = """
CREATE OR REPLACE FUNCTION portfolio_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql {probes} AS $$
DECLARE
    wrong uuid;
BEGIN
    SELECT added.id INTO wrong
    FROM added LEFT JOIN portfolio_ledgerentry e ON e.transaction_id = added.id
    GROUP BY added.id {terms}
    HAVING (count(e.id) < 2 OR sum(e.debit) <> sum(e.credit)) {unless}
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not at least two entries that balance', wrong
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
"""
ROUNDS_TO_NOTHING = """AND NOT (count(e.id) = 0 AND coalesce(
        added.qty * added.price * CASE WHEN added.symbol LIKE 'O:%' THEN 100 ELSE 1 END, 1) <= 0.0001)"""


def quantity(decimals: int, digits: int = 18) -> models.DecimalField:
    return models.DecimalField(max_digits=digits, decimal_places=decimals, null=True)


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0010_report_form")]

    operations = [
        *(
            migrations.AddField("accountevent", name, quantity(6))
            for name in ("qty", "price", "filled_qty", "remaining_qty", "position_qty")
        ),
        migrations.AddField("accountevent", "amount", quantity(4, digits=24)),
        migrations.AddIndex(
            "ledgertransaction",
            models.Index(fields=["book"], name="ledger_settlements", condition=Q(kind="settlement")),
        ),
        migrations.RunSQL(
            SEAL.format(probes=ONLY_PROBES, terms=", added.symbol, added.qty, added.price", unless=ROUNDS_TO_NOTHING),
            SEAL.format(probes=ONLY_PROBES, terms="", unless=""),
        ),
    ]
