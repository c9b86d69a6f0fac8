"""A ledger transaction says in which form it was hashed. Whatever the release before wrote, and still writes, is of form 1.

A plain small integer: the check of a positive one would read the whole table under lock.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0005_audit_reports")]

    operations = [migrations.AddField("ledgertransaction", "form", models.SmallIntegerField(db_default=1))]
