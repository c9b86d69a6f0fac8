"""Since when a side's price has stood, and the quote's way through the quote book."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from marketdata.quotes import Quote, quote_from_json, quote_text, quote_to_json, succeed
from tests.market_kit import at

FIRST = at("14:00:00")
SINCE = [  # asks a second apart, "-" is none; the second since when the last of them has stood
    ("100.10", 0),
    ("100.10 100.10", 0),
    ("100.10 100.1", 0),
    ("100.10 100.20", 1),
    ("100.10 100.20 100.10", 2),
    ("100.10 - 100.10", 0),
    ("100.10 - - - 100.10", 0),
    ("100.10 - 100.20", 2),
    ("100.10 - 100.20 - 100.10", 4),
    ("100.10 100.20 - 100.20", 1),
    ("- 100.10", 1),
    ("- - 100.10 -  100.10", 2),
]


def quotes(asks: str) -> list[Quote]:
    said: list[Quote] = []
    for second, ask in enumerate(asks.split()):
        price = None if ask == "-" else Decimal(ask)
        said.append(
            succeed(
                said[-1] if said else None,
                symbol="IBM",
                bid=Decimal("100"),
                ask=price,
                bid_size=Decimal(5),
                ask_size=None,
                quoted_at=FIRST + timedelta(seconds=second),
                feed="test",
            )
        )
    return said


@pytest.mark.parametrize(("asks", "second"), SINCE)
def test_since_when_a_price_has_stood(asks: str, second: int) -> None:
    last = quotes(asks)[-1]
    assert last.ask_since == FIRST + timedelta(seconds=second)
    assert last.bid_since == FIRST, "the sides are apart"


@pytest.mark.parametrize("asks", [asks for asks, _ in SINCE])
def test_the_quote_book_loses_nothing(asks: str) -> None:
    for quote in quotes(asks):
        assert quote_from_json(quote_to_json(quote)) == quote


@pytest.mark.parametrize("asks", ["100.10 -", "- -", "100.10 100.10"])
@pytest.mark.parametrize("feed", ["test", 'a "feed" \\ of $ml', "naïve"])
@pytest.mark.parametrize("taken_at", [None, FIRST, FIRST + timedelta(microseconds=1)])
def test_its_text_is_what_json_would_write(asks: str, feed: str, taken_at: datetime | None) -> None:
    for quote in quotes(asks):
        for size in (None, Decimal("1E+2"), Decimal("0.5")):
            other = replace(quote, feed=feed, taken_at=taken_at, bid_size=size)
            assert quote_text(other) == json.dumps(quote_to_json(other))


def test_a_quote_kept_by_the_release_before_is_read() -> None:
    [quote] = quotes("100.10")
    assert quote_from_json(quote_to_json(quote)[:9]) == quote


def test_what_stood_before_is_no_part_of_what_a_quote_says() -> None:
    missing, always = quotes("100.10 -")[-1], quotes("- -")[-1]
    assert (missing.ask_stood, always.ask_stood) == (Decimal("100.10"), None)
    assert missing.id == always.id
