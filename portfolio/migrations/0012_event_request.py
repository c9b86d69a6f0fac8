"""Events keep the id of the request that they happened in.

A column that the release before leaves empty; no row is rewritten, and no lock is held for longer than an instant.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0011_done")]

    operations = [
        migrations.AddField("accountevent", "request_id", models.CharField(blank=True, db_default="", max_length=64)),
    ]
