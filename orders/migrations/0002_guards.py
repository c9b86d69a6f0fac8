"""Fills never change: they are what the books and the supply taken are checked against."""

from django.db import migrations

GUARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON orders_fill
    FOR EACH ROW EXECUTE FUNCTION portfolio_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON orders_fill
    FOR EACH STATEMENT EXECUTE FUNCTION portfolio_refuse_change();
"""

UNDO = """
DROP TRIGGER append_only ON orders_fill;
DROP TRIGGER append_only_truncate ON orders_fill;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("portfolio", "0002_guards")]

    operations = [migrations.RunSQL(GUARD, UNDO)]
