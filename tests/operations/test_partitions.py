"""The SQL of docs/operations.md, "A billion rows", run as it stands there, on rows that exist."""

import re
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from portfolio.models import EquitySnapshot
from tests.desk import Desk
from tests.market_kit import MarketKit

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()


def test_snapshots_go_into_months_and_stay_what_they_were(desk: Desk, open_market: MarketKit) -> None:
    partition, detach = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    desk.buy()
    open_market.advance("14:01:00")
    before = list(EquitySnapshot.objects.values())
    assert before
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # The test's own transaction takes it back: the table is every other test's too.
        cursor.execute(partition.replace("BEGIN;\nALTER", "ALTER", 1).replace("COMMIT;", ""))
    assert list(EquitySnapshot.objects.values()) == before
    open_market.advance("14:02:00")
    assert EquitySnapshot.objects.count() > len(before)
    with pytest.raises(DatabaseError), transaction.atomic():
        EquitySnapshot.objects.update(equity=0)
    with connection.cursor() as cursor:
        cursor.execute(detach)
    assert EquitySnapshot.objects.count() == 0
