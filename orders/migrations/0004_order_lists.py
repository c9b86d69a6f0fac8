"""Indexes for the admin's lists of orders over all accounts: by time, and those that ended without being filled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_references")]

    operations = [
        migrations.AddIndex("order", models.Index(fields=["submitted_at"], name="order_submitted")),
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["status", "id"],
                name="order_unfilled",
                condition=models.Q(status__in=["canceled", "expired", "rejected"]),
            ),
        ),
    ]
