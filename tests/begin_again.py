"""After a test that really committed: every table as the migrations left it.

Django's flush truncates every table, which makes new files for each and its indexes, and puts permissions in again: a third of
a second. Here a table that has no rows costs a look, others a DELETE, and what was there at the beginning is put back where it
was changed. The guards of append-only tables stand until then.

Sequences are not set back, and begin with numbers of seven digits, each with its own: whatever ran before, no test sees how a
number gets another digit, takes one table's row for another's, or finds a row by a number that it wrote for nobody's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from django.db import connection
from django.test import TransactionTestCase

# Of which Django knows nothing. A foreign key is deferred until all is deleted, so that no order of tables matters.
_REMEMBER = """
CREATE SCHEMA kept;
CREATE TABLE kept.tables (name text, given boolean);

CREATE FUNCTION kept.has_rows(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO found;
    RETURN found;
END $$;

CREATE FUNCTION kept.is_as_given(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE other boolean;
BEGIN
    EXECUTE format('SELECT EXISTS ((TABLE %1$I EXCEPT TABLE kept.%1$I) UNION ALL (TABLE kept.%1$I EXCEPT TABLE %1$I))', name)
        INTO other;
    RETURN NOT other;
END $$;

CREATE FUNCTION kept.begin_again() RETURNS void LANGUAGE plpgsql AS $$
DECLARE changed text[]; guarded text[]; one text;
BEGIN
    SELECT array_agg(t.name), array_agg(t.name) FILTER (WHERE EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = t.name::regclass AND NOT tgisinternal))
        INTO changed, guarded FROM kept.tables t
        WHERE CASE WHEN t.given THEN NOT kept.is_as_given(t.name) ELSE kept.has_rows(t.name) END;
    FOREACH one IN ARRAY coalesce(guarded, '{}') LOOP
        EXECUTE format('ALTER TABLE %I DISABLE TRIGGER USER', one);
    END LOOP;
    FOREACH one IN ARRAY coalesce(changed, '{}') LOOP
        EXECUTE format('DELETE FROM %I', one);
        IF (SELECT given FROM kept.tables t WHERE t.name = one) THEN
            EXECUTE format('INSERT INTO %1$I TABLE kept.%1$I', one);
        END IF;
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH one IN ARRAY coalesce(guarded, '{}') LOOP
        EXECUTE format('ALTER TABLE %I ENABLE TRIGGER USER', one);
    END LOOP;
END $$;
"""


_LARGE_NUMBERS = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1000000 + 50000 * row_number() OVER (ORDER BY sequencename))
    FROM pg_sequences WHERE schemaname = 'public'
"""


def remember() -> None:
    """Keep what every table holds now: once, when the database has been made."""
    with connection.cursor() as cursor:
        cursor.execute(_LARGE_NUMBERS)
        cursor.execute(_REMEMBER)
        for name in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute("INSERT INTO kept.tables SELECT %s, kept.has_rows(%s) RETURNING given", [name, name])
            if cursor.fetchone() == (True,):
                cursor.execute(f'CREATE TABLE kept."{name}" AS TABLE "{name}"')


@contextmanager
def instead_of_the_flush() -> Iterator[None]:
    """Within this Django's own way of emptying tables is ours."""

    def begin_again(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT kept.begin_again()")

    with patch.object(TransactionTestCase, "_fixture_teardown", begin_again):
        yield
