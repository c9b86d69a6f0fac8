"""Quotes kept as evidence never change."""

from django.db import migrations

GUARD = """
CREATE FUNCTION marketdata_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON marketdata_quoterecord
    FOR EACH ROW EXECUTE FUNCTION marketdata_refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON marketdata_quoterecord
    FOR EACH STATEMENT EXECUTE FUNCTION marketdata_refuse_change();
"""

UNDO = """
DROP TRIGGER append_only ON marketdata_quoterecord;
DROP TRIGGER append_only_truncate ON marketdata_quoterecord;
DROP FUNCTION marketdata_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("marketdata", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNDO)]
