"""A fill points at rows that exist, checked once for a statement; orders are kept (see portfolio's 0003)."""

from importlib import import_module

from django.db import migrations, models
from django.db.models import PROTECT

portfolio = import_module("portfolio.migrations.0003_references")

REFERENCES = {
    "order_id": "orders_order",
    "quote_id": "marketdata_quoterecord",
    "ledger_transaction_id": "portfolio_ledgertransaction",
}


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_guards"), ("portfolio", "0003_references")]

    operations = [
        migrations.AlterField(
            "fill", "order", models.ForeignKey("orders.order", PROTECT, related_name="fills", db_constraint=False)
        ),
        migrations.AlterField("fill", "quote", portfolio.points_at("marketdata.quoterecord", related_name="+")),
        migrations.AlterField(
            "fill",
            "ledger_transaction",
            models.OneToOneField(
                "portfolio.ledgertransaction", PROTECT, null=True, related_name="fill", db_constraint=False
            ),
        ),
        migrations.RunSQL(
            portfolio.keep_rows("orders_order") + portfolio.check_references("orders_fill", REFERENCES),
            portfolio.drop_references("orders_fill") + portfolio.drop_keeping("orders_order"),
        ),
    ]
