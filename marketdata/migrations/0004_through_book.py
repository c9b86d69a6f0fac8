from django.db import migrations, models


def do_the_instant_again(apps, schema_editor):
    """A clock that stood between two rows of an instant: its orders know by their fills what they took of which quote."""
    apps.get_model("marketdata", "MarketClock").objects.filter(through_rows__isnull=False).update(through_book=0)


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0003_no_ends_at")]
    operations = [
        migrations.AddField("marketclock", "through_book", models.BigIntegerField(null=True)),
        migrations.RunPython(do_the_instant_again, migrations.RunPython.noop),
    ]
