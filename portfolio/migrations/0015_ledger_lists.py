"""Indexes for the admin's lists over all accounts: ledger transactions by symbol and time, snapshots by time."""

from django.db import migrations, models

from papertrade.lib.migrations import AddIndexBesideWriters


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("portfolio", "0014_audits")]

    operations = [
        AddIndexBesideWriters("ledgertransaction", models.Index(fields=["symbol", "at"], name="ledger_symbol_time")),
        AddIndexBesideWriters("equitysnapshot", models.Index(fields=["at"], name="snapshot_at")),
    ]
