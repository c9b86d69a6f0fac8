from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0006_leases")]
    operations = [migrations.AddField("marketclock", "taken_to", models.DateTimeField(null=True))]
