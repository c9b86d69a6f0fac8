"""An event of its own for an order that gave its place to another."""

from django.db import migrations, models

TYPES = [
    "account_opened", "account_renamed", "account_reset", "account_archived", "order_submitted", "order_evaluated",
    "order_filled", "order_canceled", "order_expired", "order_rejected", "order_replaced", "position_settled",
    "position_unsettled",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0007_snapshot_months")]

    operations = [
        migrations.AlterField(
            "accountevent",
            "type",
            models.CharField(max_length=24, choices=[(kind, kind.replace("_", " ").title()) for kind in TYPES]),
        ),
    ]
