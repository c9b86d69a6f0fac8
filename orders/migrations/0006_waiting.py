"""An index of the orders that wait for a usable quote: the first of its symbol evaluates them once more."""

from django.db import migrations, models
from django.db.models import Q

OPEN = ["accepted", "new", "partially_filled"]
FAULTS = ["quote_crossed", "quote_invalid", "quote_missing", "quote_stale"]


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_sweeps")]

    operations = [
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["symbol"], name="order_waiting", condition=Q(status__in=OPEN) & Q(no_fill_reason__in=FAULTS)
            ),
        ),
    ]
