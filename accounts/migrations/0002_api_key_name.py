"""API keys are called that."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.AlterModelOptions("apikey", {"ordering": ["-created_at"], "verbose_name": "API key"})]
