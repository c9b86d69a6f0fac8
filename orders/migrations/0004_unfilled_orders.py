"""An index for the admin's lists of canceled, expired and rejected orders; a filled order never enters it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_references")]

    operations = [
        migrations.AddIndex(
            "order",
            models.Index(
                fields=["status", "id"],
                name="order_unfilled",
                condition=models.Q(status__in=["canceled", "expired", "rejected"]),
            ),
        ),
    ]
