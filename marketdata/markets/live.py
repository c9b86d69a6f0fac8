"""The live market: the real clock, and quotes as a provider gives them.

It is moved like the others, in steps under the closed gate; only where the quotes come from differs. What was heard between two
steps is taken at the next, and is recorded before anything is done with it.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, groupby

import redis
import structlog

from marketdata import clock, feed_state, leases, quote_book, wanted
from marketdata.feeds import Supplies
from marketdata.feeds.live.feed import Known, LiveCursor, LiveFeed
from marketdata.feeds.live.minutes import store_minutes
from marketdata.feeds.live.protocol import Rank, Want
from marketdata.feeds.universe import TICKERS
from marketdata.instruments import parse_symbol
from marketdata.markets.base import Market
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from papertrade.lib import metrics

log = structlog.get_logger(__name__)

LIVE, PUSH = "live", "push"
MINUTES_KEPT = timedelta(minutes=2)  # older minutes that nobody has seen are a gap in the curve, not old marks
ATTEND_SECONDS = 1.0
TENDING_SECONDS = 5.0  # of a worker, once a minute
CANARY = "SPY"  # always quoted in a session: its silence is the provider's
VALKEY_PAUSE_SECONDS = 1.0  # after it did not answer: it may take two seconds not to, with the gate closed


class LiveMarket(Market):
    """The market of the real clock; in the process that leads, with its provider. Its past is its recording."""

    computes_past = True
    reach_of_ticks, reach_of_minutes = timedelta(days=1), timedelta(days=366)

    feed: LiveFeed

    def __init__(self, feed: LiveFeed) -> None:
        super().__init__(LIVE, feed)
        self.manual = False
        self.takes_pushes = feed.name == f"{LIVE}:{PUSH}"
        self._ask_again_at = self._attends_again_at = 0.0  # of the monotonic clock
        self._needed: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    def lead(self, *, supplies: Callable[[], Supplies]) -> None:
        """Connect to the provider; `supplies` says what orders have taken, where the quote book was lost."""
        self.feed.supplies = supplies
        self.feed.lead()

    def stop(self) -> None:
        """Disconnect from the provider."""
        self.feed.stop()

    def start(self) -> bool:
        """Let time go on, whichever provider there was before: it is the same market."""
        return clock.start(market=self.name, feed=self.feed.name, at=clock.real_now(), speed=Decimal(1), any_feed=True)

    def attend(self, *, orders: Collection[str], held: Collection[str]) -> None:
        """Tell the provider what is wanted, at once where that has changed for orders, and all processes what it answered."""
        needed = (frozenset(orders), frozenset(held))
        now = time.monotonic()
        if needed == self._needed and now < self._attends_again_at:
            return
        self._needed, self._attends_again_at = needed, now + ATTEND_SECONDS
        for (what, reason), amount in self.feed.intake.take_counted().items():
            metrics.LIVE[what].labels(reason).inc(amount)
        try:
            self.feed.thread.want(ranked(orders, held, wanted.watched()))
            for underlying in wanted.take_wanted_chains():
                self.feed.thread.want_chain(underlying)
            for chain in self.feed.intake.take_chains():
                wanted.keep_chain(chain)
            if refused := self.feed.intake.take_refused():
                wanted.refuse(refused)
            feed_state.publish(self._state())
        except (wanted.LeaderUnavailable, redis.RedisError):
            self.feed.thread.want(ranked(orders, held, ()))  # orders need their quotes, whoever looks on

    def _state(self) -> feed_state.FeedState:
        recorder = self.feed.recorder
        return feed_state.FeedState(
            provider=self.feed.name.removeprefix(f"{LIVE}:"),
            at=clock.wall_now().isoformat(),
            lines=[feed_state.line_report(line) for line in self.feed.intake.lines()],
            lag_seconds=None if self.feed.lag is None else round(self.feed.lag.total_seconds(), 3),
            recording=str(recorder.folder) if recorder is not None else "",
            recording_problem=recorder.problem if recorder is not None else "",
        )

    def exists(self, symbol: str) -> bool:
        """False where the provider has said so; where it has not answered yet an order waits for its quote."""
        try:
            return not wanted.is_refused(symbol)
        except wanted.LeaderUnavailable:
            return True

    def latest(
        self, symbols: Collection[str], *, at: datetime, position: str | None = None, watch: bool = True
    ) -> dict[str, Quote]:
        """As in the other markets; who only looks makes the symbols watched, and sees chains' quotes too."""
        found = super().latest(symbols, at=at, position=position)
        if position is None:
            found |= self._look(symbols, found, watch=watch)
        return found

    def _look(self, symbols: Collection[str], found: Mapping[str, Quote], *, watch: bool) -> dict[str, Quote]:
        """Watch what is looked at, and the quotes of a chain for options that have none of their own."""
        options = [symbol for symbol in symbols if symbol.startswith("O:")]
        quotes: dict[str, Quote] = {}
        with contextlib.suppress(wanted.LeaderUnavailable):
            if watch and symbols:
                wanted.watch(symbols)
            missing = groupby(sorted(set(options) - set(found)), key=lambda symbol: parse_symbol(symbol).underlying)
            for underlying, contracts in missing:
                quotes |= wanted.chain_quotes(list(contracts), underlying)
        return quotes

    def stocks(self) -> list[str]:
        """The well-known ones, and every one that has a quote."""
        return sorted({*TICKERS, *super().stocks()})

    def optionable(self) -> list[str]:
        """Those of which a contract is traded or looked at: of all others a chain would have to be fetched."""
        listed = map(parse_symbol, quote_book.symbols())
        return sorted({item.underlying for item in listed if item.is_option})

    def options_of(self, underlying: str) -> list[str]:
        """As the provider lists them; of one that lists none, those that have a quote.

        Raises Unavailable where it has not been asked yet.
        """
        if self.takes_pushes:
            return super().options_of(underlying)
        listed = wanted.chain_symbols(underlying)
        return super().options_of(underlying) if listed is None else listed

    def first_minute(self, to: datetime) -> datetime | None:
        return to - MINUTES_KEPT

    def tend_past(self) -> int:
        """Store the minutes of what was recorded."""
        return 0 if self.feed.folder is None else store_minutes(self.feed.folder, seconds=TENDING_SECONDS)

    def listen(self, cursor: LiveCursor) -> None:  # type: ignore[override]
        """Judge what was heard before the gate is closed: it costs a third of a step that is taken in a storm."""
        cursor.listen(clock.real_now())

    def undisturbed(self) -> AbstractContextManager[None]:
        """A step is short, and the provider's frames wait for so long: they and it share one interpreter."""
        return self.feed.intake.undisturbed()

    def take(self, cursor: LiveCursor, to: datetime) -> None:  # type: ignore[override]  # its own feed's cursor
        """Take what was heard since the last step, as quotes of the instant `to`."""
        session = calendar().session_at(to)
        self.feed.intake.in_session = session is not None
        news = cursor.hear(to)
        if news:
            # Should this process die before it has done what is recorded, no request comes before the next leader does it.
            clock.take(to)
            cursor.take(news, to)
        self.feed.note_lags(news, to, session)

    def publish(self, cursor: LiveCursor, *, through: str) -> None:  # type: ignore[override]
        """Tell all processes what has changed. Without Valkey the market goes on, and tells them later."""

        def publish() -> None:
            lost = quote_book.marker() is None
            symbols = cursor.latest if lost else cursor.changed
            quote_book.publish([cursor.latest[symbol] for symbol in symbols], through=through)
            cursor.changed.clear()

        self._tell(publish)

    def _tell(self, what: Callable[[], None]) -> None:
        if time.monotonic() < self._ask_again_at:
            return
        try:
            what()
        except quote_book.BookUnavailable as error:
            self._ask_again_at = time.monotonic() + VALKEY_PAUSE_SECONDS
            log.warning("quotes_not_published", error=str(error))


def ranked(orders: Collection[str], held: Collection[str], watched: Iterable[str]) -> list[Want]:
    """What is wanted, by rank and each symbol once: orders, positions, the stocks of both, the canary, what is looked at."""
    ranks = (
        (Rank.ORDER, sorted(orders)),
        (Rank.POSITION, sorted(held)),
        (Rank.UNDERLYING, sorted({parse_symbol(symbol).underlying for symbol in chain(orders, held)})),
        (Rank.CANARY, [CANARY]),
        (Rank.WATCHED, watched),
    )
    best: dict[str, Rank] = {}
    for rank, symbols in ranks:
        for symbol in symbols:
            best.setdefault(symbol, rank)
    return [Want(symbol, rank) for symbol, rank in best.items()]


def known_quotes() -> Known:
    """What the quote book says to a new leader."""
    with contextlib.suppress(quote_book.BookUnavailable):
        marker, latest = quote_book.everything()
        if marker is not None:
            return Known(latest, datetime.fromisoformat(marker.split("/")[0]))
    return Known()


def number_of_leader(newest: int) -> int:
    """The number by which this process records, `newest` being the highest so far: that of its lease, and higher than all
    where the database is younger than the recording. Raises LeaseLost.
    """
    mine = leases.holding_of(leases.MOVER)
    if not mine.is_latest():  # asked after `newest` was read: who was stopped in between has no number
        raise leases.LeaseLost(mine.name)
    return max(newest + 1, mine.number)
