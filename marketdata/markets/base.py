"""What a market is: a feed behind a clock and a calendar."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta

from django.conf import settings

from marketdata import clock, quote_book
from marketdata.feeds import Feed, FeedCursor, Supplies
from marketdata.feeds.past import (
    Begins,
    KeepsMinutes,
    KeepsPast,
    KeepsTrades,
    PastMinute,
    PastQuote,
    PastTrade,
    standing,
)
from marketdata.instruments import parse_symbol
from marketdata.option_pricing import RISK_FREE_RATE
from marketdata.quotes import Quote


class MarketError(Exception):
    """The market of the settings cannot be run; the message says what to change."""


class Market:
    """One of the three markets. `manual` = its clock moves only when told to; `has_book` = its quotes are in the book."""

    has_book = True
    interest_rate = RISK_FREE_RATE  # that options are priced by, a fraction a year
    takes_pushes = False  # whether its quotes come through the API
    computes_past = False  # its past costs time for every quote that is read, and may reach far back
    # So much of that a page reads at most, in two seconds or so: quote by quote, and by the minute. None = any.
    reach_of_ticks: timedelta | None = None
    reach_of_minutes: timedelta | None = None

    def __init__(self, name: str, feed: Feed) -> None:
        self.name = name
        self.feed = feed
        self.manual = settings.PAPERTRADE_SPEED == 0

    def exists(self, symbol: str) -> bool:
        """False where the market knows that there is no such symbol."""
        return self.feed.exists(symbol)

    def latest(
        self, symbols: Collection[str], *, at: datetime, position: str | None = None, watch: bool = True
    ) -> dict[str, Quote]:
        """The latest quote of each symbol that has one, `at` being exchange time now.

        Who looks at a whole chain does not `watch` it: a live market asks for its quotes with one call, and not one by one.
        Who decides on a quote gives the clock's `position` too: never on one that is older or newer than the books.
        Raises Unavailable.
        """
        return quote_book.latest(symbols, filled_to=position)

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None] | None:
        """The symbol's mid prices at past instants, ascending (USD); None where the market keeps none of it."""
        return self.feed.mids(symbol, times) if isinstance(self.feed, KeepsPast) else None

    def past_quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """The symbol's quotes in (after, until], ascending; none where the market keeps none of its past."""
        return self.feed.quotes(symbol, after, until) if isinstance(self.feed, KeepsPast) else iter(())

    def may_know(self, at: datetime) -> bool:
        """Whether it can have quotes of that instant, or of one before, at all; True where only reading them tells."""
        if not isinstance(self.feed, Begins):
            return True
        begins = self.feed.begins()
        return begins is not None and begins <= at

    def past_minutes(self, symbol: str, start: datetime, until: datetime) -> Iterator[PastMinute] | None:
        """The symbol's minutes that begin in [start, until], ascending, a minute perhaps in several parts.

        None where the market does not know them without reading every quote.
        """
        return self.feed.minutes(symbol, start, until) if isinstance(self.feed, KeepsMinutes) else None

    @property
    def keeps_minutes(self) -> bool:
        """Whether `past_minutes` knows any."""
        return isinstance(self.feed, KeepsMinutes)

    def past_trades(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastTrade]:
        """The symbol's trades in (after, until], ascending. Where the market knows of none at all, the middles of its
        two-sided, uncrossed quotes stand for them, as trades of nothing.
        """
        if isinstance(self.feed, KeepsTrades) and self.feed.has_trades(symbol):
            return self.feed.trades(symbol, after, until)
        return (quote.middle for quote in self.past_quotes(symbol, after, until) if quote.middle is not None)

    def last_trade(self, symbol: str, quote: Quote | None, *, at: datetime) -> PastTrade | None:
        """The symbol's last trade until `at`, exchange time now, by the same rule; `quote` is its latest."""
        if isinstance(self.feed, KeepsTrades) and self.feed.has_trades(symbol):
            return self.feed.trade_at(symbol, at)
        return None if quote is None else standing(quote).middle

    def remember(self, symbols: Collection[str]) -> None:
        """The past of these is asked for next: a market that reads it from files reads them once."""
        if isinstance(self.feed, KeepsPast):
            self.feed.remember(symbols)

    def tend_past(self) -> int:
        """Once a minute, by a worker: make what the past is read from quickly; how many files."""
        return 0

    def quotes_at(self, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        """The quotes that stood at an instant that is past; none where the market keeps no past."""
        return {}

    def latest_of(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        """The same while the market is being moved: as of the cursor, which stands at `at`."""
        return {symbol: cursor.latest[symbol] for symbol in symbols if symbol in cursor.latest}

    def stocks(self) -> list[str]:
        """The stocks that the market lists, sorted: those that have a quote. Raises Unavailable."""
        return [symbol for symbol in quote_book.symbols() if not parse_symbol(symbol).is_option]

    def optionable(self) -> list[str]:
        """The stocks whose options are shown where nobody says of which, sorted. Raises Unavailable."""
        return self.stocks()

    def options_of(self, underlying: str) -> list[str]:
        """The option symbols that it lists of a stock, sorted: those that have a quote. Raises Unavailable."""
        listed = map(parse_symbol, quote_book.symbols())
        return [item.symbol for item in listed if item.is_option and item.underlying == underlying]

    def unseen(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        """The latest quotes at `at` of symbols that the cursor was not asked for: here none, as it yields every quote."""
        return {}

    def publish(self, cursor: FeedCursor, *, through: str) -> None:
        """Tell all processes the latest quotes; `through` is the position of the clock."""
        quote_book.publish(cursor.latest.values(), through=through)

    def listen(self, cursor: FeedCursor) -> None:
        """Before a step, with the gate open: a live market prepares what that will take."""

    def undisturbed(self) -> AbstractContextManager[None]:
        """In a step: what this process does beside waits a moment."""
        return nullcontext()

    def take(self, cursor: FeedCursor, to: datetime) -> None:
        """A live market takes what it has heard, as quotes of the instant `to`; the others have theirs."""

    def first_minute(self, to: datetime) -> datetime | None:
        """From when on the minutes missed before `to` are still snapshots; None = all of them."""
        return None

    def lead(self, *, supplies: Callable[[], Supplies]) -> None:
        """This process moves the market from now on; `supplies` says what orders took of displayed prices last."""

    def stop(self) -> None:
        """Not any more."""

    def attend(self, *, orders: Collection[str], held: Collection[str]) -> None:
        """After a step, with the gate open: quotes are needed of these symbols of open orders, and of these held."""

    def start(self) -> bool:
        """Make the clock's row, or let it go on from where it stood; True where time begins anew."""
        return clock.start(market=self.name, feed=self.feed.name, at=self.first_at(), speed=settings.PAPERTRADE_SPEED)

    def first_at(self) -> datetime:
        """Where exchange time starts: the setting, or what the feed says."""
        return settings.PAPERTRADE_START or self.feed.first_at()

    def skip(self, at: datetime) -> datetime | None:
        """Where a running clock that has reached `at` jumps to, or None where it goes on."""
        return None
