"""The SQL of docs/operations.md, run as it stands there, on rows that exist."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, connection, transaction

from orders.models import Fill
from portfolio.models import AccountEvent, LedgerEntry
from tests.desk import Desk
from tests.invariants import check_account
from tests.market_kit import MarketKit
from tests.services_plugin import APP_URL

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
[HASHES] = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
SPLIT = (AccountEvent, Fill, LedgerEntry)
SERVING = urlsplit(os.environ.get(APP_URL, "")).username or "papertrade"


def inside(sql: str) -> str:
    """The same within the test's own transaction, which takes it back: the tables are every other test's too."""
    return sql.replace("BEGIN;\n", "", 1).replace("COMMIT;", "")


def guards() -> list[tuple[str, str]]:
    """The guards of the tables that are split, by table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal ORDER BY 1, 2",
            [[model._meta.db_table for model in SPLIT]],
        )
        return cursor.fetchall()


def rights() -> list[tuple[str, str]]:
    """What the server's role may do with the tables that are split, and with their sequences."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, p.privilege_type FROM pg_class c, aclexplode(c.relacl) p"
            " WHERE p.grantee = %s::regrole AND c.relname ~ ALL(%s) ORDER BY 1, 2",
            [SERVING, ["^(portfolio_accountevent|orders_fill|portfolio_ledgerentry)"]],
        )
        return cursor.fetchall()


def test_evidence_is_split_by_hash_and_stays_what_it_was(desk: Desk, open_market: MarketKit) -> None:
    desk.buy()
    with connection.cursor() as cursor:
        cursor.execute(
            f"GRANT SELECT, INSERT ON portfolio_accountevent, orders_fill, portfolio_ledgerentry TO {SERVING}"
        )
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {SERVING}")
    before, guarded, allowed = [list(model.objects.values()) for model in SPLIT], guards(), rights()
    assert all(before)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(inside(HASHES))
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert [list(model.objects.values()) for model in SPLIT] == before
    assert guards() == guarded and rights() == allowed and len(allowed) > len(SPLIT)
    assert desk.buy(limit="99").status == "new"
    assert desk.buy().status == "filled"
    assert Fill.objects.count() == 2
    check_account(desk.account)
    for model in SPLIT:
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all().delete()
