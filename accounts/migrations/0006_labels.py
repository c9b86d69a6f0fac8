"""A note and tags on a run. Columns with defaults of the database, so that the release before goes on."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_watchlists"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="note",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="generation",
            name="tags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddConstraint(
            model_name="generation",
            constraint=models.CheckConstraint(
                condition=models.Q(("tags__len__lte", 10), models.Q(("tags__contains", [""]), _negated=True)),
                name="generation_tags_few",
            ),
        ),
    ]
