"""`audit_books` while the market goes on: a book that trades meanwhile is no difference."""

from typing import Any

import pytest

from orders import audit
from portfolio.models import Book
from tests.concurrency.threads import together
from tests.desk import Desk
from tests.market_kit import MarketKit


def test_a_book_that_trades_while_it_is_read_shows_no_difference(
    committed: None, open_market: MarketKit, trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(trader)
    desk.buy("10")
    check_ledger = audit.audit_book

    def check_ledger_and_trade(*, book: Book) -> Any:
        differences = check_ledger(book=book)
        (order,) = together(lambda: desk.buy("10"))
        assert order.status == "filled"
        return differences

    monkeypatch.setattr(audit, "audit_book", check_ledger_and_trade)
    assert list(audit.audit_books()) == []
