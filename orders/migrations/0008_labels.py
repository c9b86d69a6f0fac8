"""A note and tags on an order, and an index of those that have tags. The release before goes on without them."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_labels"),
        ("marketdata", "0005_anchored_again"),
        ("orders", "0007_replace"),
        ("portfolio", "0011_done"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="note",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="order",
            name="tags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64), blank=True, db_default=[], default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("tags", []), _negated=True), fields=["tags"], name="order_tagged"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("tags__len__lte", 10), models.Q(("tags__contains", [""]), _negated=True)),
                name="order_tags_few",
            ),
        ),
    ]
