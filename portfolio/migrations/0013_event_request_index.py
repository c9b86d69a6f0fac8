"""Events by the request that they happened in. The index is made beside those who write; a try that was cut off is repeated."""

from django.db import migrations, models
from django.db.models import Q

from papertrade.lib.migrations import AddIndexBesideWriters

REQUESTED = [
    "account_archived",
    "account_opened",
    "account_renamed",
    "account_reset",
    "order_canceled",
    "order_rejected",
    "order_replaced",
    "order_submitted",
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("portfolio", "0012_event_request")]

    operations = [
        AddIndexBesideWriters(
            "accountevent",
            models.Index(
                fields=["request_id"],
                name="event_request",
                condition=Q(type__in=REQUESTED) & ~Q(request_id=""),
            ),
        ),
    ]
