"""An order may give its place to another: the two name each other. Columns that may be empty, so the release before goes on."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

STATUSES = ["accepted", "new", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced"]


def another_order() -> models.ForeignKey:
    return models.ForeignKey(
        "orders.order",
        django.db.models.deletion.PROTECT,
        null=True,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )


class Migration(migrations.Migration):
    dependencies = [("orders", "0006_waiting")]

    operations = [
        migrations.AlterField(
            "order", "status", models.CharField(max_length=16, choices=[(status, status) for status in STATUSES])
        ),
        migrations.AddField("order", "replaced_at", models.DateTimeField(null=True)),
        migrations.AddField("order", "replaced_by", another_order()),
        migrations.AddField("order", "replaces", another_order()),
        migrations.AddConstraint(
            "order",
            models.CheckConstraint(
                name="order_replaced_names_other",
                condition=Q(status="replaced", replaced_by__isnull=False, replaced_at__isnull=False)
                | ~Q(status="replaced") & Q(replaced_by__isnull=True, replaced_at__isnull=True),
            ),
        ),
    ]
