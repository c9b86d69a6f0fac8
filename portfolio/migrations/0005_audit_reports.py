"""What audits found is kept, so that an operator sees that the nightly one ran, and what it said."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0004_event_lists")]

    operations = [
        migrations.CreateModel(
            "AuditReport",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope", models.CharField(blank=True, max_length=100)),
                ("by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(db_default=Now())),
                ("books", models.PositiveIntegerField()),
                ("difference_count", models.PositiveIntegerField()),
                ("differences", models.JSONField()),
            ],
            options={"ordering": ["-id"]},
        ),
    ]
