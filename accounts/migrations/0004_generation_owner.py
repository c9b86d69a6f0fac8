"""A generation says whose it was when it opened. The release before does not write it: empty by default."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_move_market")]

    operations = [
        migrations.AddField("generation", "owner", models.CharField(blank=True, db_default="", max_length=150)),
    ]
