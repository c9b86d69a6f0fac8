"""A quote, and what can be wrong with one. Pure.

Prices are USD per share, sizes shares or contracts. An absent price is None, and so is every size of a feed that has none.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

# How far a quote may be stamped ahead of the market that took it: two clocks agree only so well. A recording that does not
# say when its quotes were taken has one clock, and no quote of its future.
TOLERANCE_OF_TAKEN = timedelta(seconds=1)
NO_TOLERANCE = timedelta(0)


class QuoteFault(StrEnum):
    """Why a quote may not fill an order; the words are wire values."""

    MISSING = "quote_missing"
    INVALID = "quote_invalid"
    STALE = "quote_stale"
    CROSSED = "quote_crossed"


@dataclass(frozen=True)
class Quote:
    """National best bid and offer of a symbol at an instant.

    `bid_since` and `ask_since` say since when that side's price has stood. A displayed supply belongs to its price, and
    neither a flickering size, nor a repeated row, nor a side that goes missing and comes back at its price is a new supply.
    `bid_stood` and `ask_stood` are the last price of a side that is missing, or None.

    `quoted_at` is the exchange's time. `taken_at` is the instant at which a live market took the quote, and None where the
    market is as old as its quotes: age is counted from the one, and everything else happens at the other.
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    quoted_at: datetime
    feed: str
    bid_since: datetime
    ask_since: datetime
    bid_stood: Decimal | None = None
    ask_stood: Decimal | None = None
    taken_at: datetime | None = None

    @property
    def at(self) -> datetime:
        """When the market has it."""
        return self.taken_at or self.quoted_at

    @property
    def is_of_the_future(self) -> bool:
        """Whether it is stamped further ahead of the market than two clocks may differ."""
        return self.taken_at is not None and self.quoted_at - self.taken_at > TOLERANCE_OF_TAKEN

    @property
    def spread(self) -> Decimal | None:
        """Ask less bid, USD; None where a side is absent."""
        return None if self.bid is None or self.ask is None else self.ask - self.bid

    @property
    def mid(self) -> Decimal | None:
        """Half way between bid and ask, USD; None where a side is absent."""
        return None if self.bid is None or self.ask is None else (self.ask + self.bid) / 2

    def contents(self) -> tuple[str, ...]:
        """What the quote says, in one spelling, whatever the feed's: 183.50 and 183.5 are the same price."""
        return self._contents

    # Kept once computed: a sweep books thousands of fills on one quote.
    @cached_property
    def _contents(self) -> tuple[str, ...]:
        return (
            self.symbol,
            _plain(self.bid),
            _plain(self.ask),
            _plain(self.bid_size),
            _plain(self.ask_size),
            self.quoted_at.isoformat(timespec="microseconds"),
            self.feed,
        )

    @cached_property
    def id(self) -> UUID:
        """Named by its contents: the same quote seen twice is one row of evidence."""
        return UUID(bytes=hashlib.sha256("\n".join(self.contents()).encode()).digest()[:16])


def succeed(
    previous: Quote | None,
    *,
    symbol: str,
    bid: Decimal | None,
    ask: Decimal | None,
    bid_size: Decimal | None,
    ask_size: Decimal | None,
    quoted_at: datetime,
    feed: str,
    taken_at: datetime | None = None,
) -> Quote:
    """The next quote of a symbol; a side whose price did not change, or that is missing, keeps since when it has stood."""
    # A quote of now may follow one that was stamped in the future: no price has stood from a time later than its quote's.
    stood_bid = (previous.bid or previous.bid_stood) if previous is not None else None
    stood_ask = (previous.ask or previous.ask_stood) if previous is not None else None
    return Quote(
        symbol,
        bid,
        ask,
        bid_size,
        ask_size,
        quoted_at,
        feed,
        bid_since=min(quoted_at, previous.bid_since) if previous and stood_bid == (bid or stood_bid) else quoted_at,
        ask_since=min(quoted_at, previous.ask_since) if previous and stood_ask == (ask or stood_ask) else quoted_at,
        bid_stood=None if bid else stood_bid,
        ask_stood=None if ask else stood_ask,
        taken_at=taken_at,
    )


def fault(
    quote: Quote | None,
    *,
    at: datetime,
    max_age: timedelta | None,
    session_open: datetime | None,
) -> QuoteFault | None:
    """The first of guards 2 to 5 that the quote fails (trading-rules.md section 5), or None.

    `max_age` None ignores age, `session_open` None ignores the session.
    """
    if quote is None:
        return QuoteFault.MISSING
    bid, ask = quote.bid, quote.ask
    tolerance = NO_TOLERANCE if quote.taken_at is None else TOLERANCE_OF_TAKEN
    if bid is None or ask is None or not bid > 0 or not ask > 0 or quote.quoted_at - at > tolerance:
        return QuoteFault.INVALID
    if (quote.bid_size is not None and quote.bid_size < 0) or (quote.ask_size is not None and quote.ask_size < 0):
        return QuoteFault.INVALID
    if max_age is not None and at - quote.quoted_at > max_age:
        return QuoteFault.STALE
    if session_open is not None and quote.quoted_at < session_open:
        return QuoteFault.STALE
    return QuoteFault.CROSSED if bid > ask else None


def quote_to_json(quote: Quote) -> list[Any]:
    """The whole quote as JSON values, exactly."""
    return [
        quote.symbol,
        *(None if value is None else str(value) for value in (quote.bid, quote.ask, quote.bid_size, quote.ask_size)),
        quote.quoted_at.isoformat(),
        quote.feed,
        quote.bid_since.isoformat(),
        quote.ask_since.isoformat(),
        *(None if value is None else str(value) for value in (quote.bid_stood, quote.ask_stood)),
        None if quote.taken_at is None else quote.taken_at.isoformat(),
    ]


def quote_text(quote: Quote) -> str:
    """`quote_to_json` as text, as `json.dumps` would write it, in a third of the time: five times a second, of every symbol."""
    at = quote.quoted_at
    quoted_at = at.isoformat()
    bid_since = quoted_at if quote.bid_since is at else quote.bid_since.isoformat()
    ask_since = quoted_at if quote.ask_since is at else quote.ask_since.isoformat()
    taken_at = None if quote.taken_at is None else quote.taken_at.isoformat()
    return (
        f'["{quote.symbol}", {_word(quote.bid)}, {_word(quote.ask)}, {_word(quote.bid_size)}, {_word(quote.ask_size)}, '
        f'"{quoted_at}", {_escaped(quote.feed)}, "{bid_since}", "{ask_since}", '
        f"{_word(quote.bid_stood)}, {_word(quote.ask_stood)}, {_word(taken_at)}]"
    )


def _word(value: Decimal | str | None) -> str:
    return "null" if value is None else f'"{value}"'


@lru_cache(maxsize=256)
def _escaped(feed: str) -> str:
    return json.dumps(feed)


def quote_from_json(stored: list[Any]) -> Quote:
    """The quote that `quote_to_json` stored; before 0.2 it kept neither the price of a missing side nor when it was taken."""
    symbol, bid, ask, bid_size, ask_size, quoted_at, feed, bid_since, ask_since, *later = stored
    bid_stood, ask_stood, taken_at = later or (None, None, None)
    return Quote(
        symbol=symbol,
        bid=_number(bid),
        ask=_number(ask),
        bid_size=_number(bid_size),
        ask_size=_number(ask_size),
        quoted_at=datetime.fromisoformat(quoted_at),
        feed=feed,
        bid_since=datetime.fromisoformat(bid_since),
        ask_since=datetime.fromisoformat(ask_since),
        bid_stood=_number(bid_stood),
        ask_stood=_number(ask_stood),
        taken_at=datetime.fromisoformat(taken_at) if taken_at else None,
    )


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _plain(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
