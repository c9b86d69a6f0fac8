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
    check_ledgers = audit.verify_ledgers

    def trade_and_check_ledgers(books: list[Book], **more: Any) -> Any:
        (order,) = together(lambda: desk.buy("10"))  # after the book was read, before its ledger is
        assert order.status == "filled"
        return check_ledgers(books, **more)

    monkeypatch.setattr(audit, "verify_ledgers", trade_and_check_ledgers)
    assert list(audit.audit_books()) == []
