"""An audit report says in which form its differences are written. Whatever the release before writes is of form 1."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0009_snapshots_by_month")]

    operations = [migrations.AddField("auditreport", "form", models.SmallIntegerField(db_default=1))]
