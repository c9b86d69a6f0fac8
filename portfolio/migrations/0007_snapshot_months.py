"""What retention did to months of snapshots, so that an audit knows what is missing on purpose."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0006_forms")]

    operations = [
        migrations.CreateModel(
            "SnapshotMonth",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("state", models.CharField(choices=[("thinned", "Thinned"), ("detached", "Detached")], max_length=8)),
                ("rows", models.PositiveBigIntegerField()),
                ("rows_before", models.PositiveBigIntegerField()),
                ("done_at", models.DateTimeField(db_default=Now())),
            ],
            options={"ordering": ["-month", "-id"]},
        ),
        migrations.AddConstraint(
            "snapshotmonth", models.UniqueConstraint(fields=["month", "state"], name="snapshot_month_once")
        ),
    ]
