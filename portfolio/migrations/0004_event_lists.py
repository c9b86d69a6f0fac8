"""Indexes for the admin's lists of events, over all accounts: by symbol and time, and of what happens rarely."""

from django.db import migrations, models

UNUSUAL = [
    "account_archived",
    "account_opened",
    "account_renamed",
    "account_reset",
    "order_canceled",
    "order_expired",
    "order_rejected",
    "position_settled",
    "position_unsettled",
]


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0003_references")]

    operations = [
        migrations.AddIndex("accountevent", models.Index(fields=["symbol", "at"], name="event_symbol_time")),
        migrations.AddIndex(
            "accountevent",
            models.Index(fields=["type", "id"], name="event_unusual", condition=models.Q(type__in=UNUSUAL)),
        ),
    ]
