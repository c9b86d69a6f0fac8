from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0004_through_book")]
    operations = [migrations.AddField("marketclock", "anchored_again_at", models.DateTimeField(null=True))]
