"""An index for the admin's lists of fills, over all accounts: by symbol, in a range of dates, and on one quote."""

from django.db import migrations, models

from papertrade.lib.migrations import AddIndexBesideWriters


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0008_labels")]

    operations = [
        AddIndexBesideWriters("fill", models.Index(fields=["symbol", "created_at"], name="fill_symbol_time")),
    ]
