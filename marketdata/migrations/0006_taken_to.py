from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0005_anchored_again")]
    operations = [migrations.AddField("marketclock", "taken_to", models.DateTimeField(null=True))]
