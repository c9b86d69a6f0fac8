"""The checklist of a new code: every place that a status, a reason or an error has to stand in, and none forgotten."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from marketdata.quotes import QuoteFault
from orders import reasons
from orders.matching import NoFillReason
from orders.states import CancelReason, RejectReason, Status
from papertrade.api import codes
from papertrade.api.kit.errors import STATUS_OF_CODE
from papertrade.dashboard import words
from portfolio.ledger import SettlementReason

PROJECT = Path(__file__).resolve().parents[3]
PRODUCT = ("accounts", "marketdata", "orders", "papertrade", "portfolio")
TABLE_OF = {
    NoFillReason: reasons.NO_FILL,
    QuoteFault: reasons.NO_FILL,
    RejectReason: reasons.REJECTED,
    CancelReason: reasons.CANCELED,
    SettlementReason: reasons.SETTLED,
}
ORDER_REASONS = [str(code) for kind in TABLE_OF if kind is not SettlementReason for code in kind]


def missing(code: str, *, of_an_order: bool) -> Iterator[str]:
    """Where the code still has to be written."""
    if code not in words.REASON:
        yield "papertrade/dashboard/words.py: REASON, a few words for the tables"
    if of_an_order and code not in words.EXPLANATION:
        yield "papertrade/dashboard/words.py: EXPLANATION, a sentence for the order's page"
    if of_an_order and f"`{code}`" not in (PROJECT / "docs/trading-rules.md").read_text():
        yield "docs/trading-rules.md: when it comes up"


@pytest.mark.parametrize("kind", TABLE_OF, ids=lambda kind: kind.__name__)
def test_every_reason_stands_everywhere(kind: type) -> None:
    assert set(kind) <= set(TABLE_OF[kind]), "orders/reasons.py: what it means, and what to do"
    of_an_order = kind is not SettlementReason
    left = {str(code): list(missing(code, of_an_order=of_an_order)) for code in kind}
    assert not any(left.values()), left


def test_no_word_is_left_of_a_code_that_is_gone() -> None:
    assert set(words.REASON) == set(reasons.CODES)
    assert set(words.EXPLANATION) == set(ORDER_REASONS)
    assert set(words.STATUS) == set(Status) == set(codes.STATUSES)


def test_the_page_is_what_the_code_says() -> None:
    assert (PROJECT / "docs/codes.md").read_text() == codes.page(), "make docs"


def test_every_error_has_a_status_and_a_meaning_and_one_that_is_raised_is_known() -> None:
    assert set(codes.ERRORS) == set(STATUS_OF_CODE)
    raised = {
        code
        for package in PRODUCT
        for path in (PROJECT / package).rglob("*.py")
        if "dashboard" not in path.parts  # codes of form errors
        for code in re.findall(r"\bcode=\"([a-z_]+)\"", path.read_text())
    }
    assert raised and raised <= set(STATUS_OF_CODE)
