"""The simulated market: synthetic quotes, every one a pure function of seed, symbol and tick.

A price is layers of smooth seeded noise over trading time, each layer half as long and by a root of two weaker, which looks
like a random walk and can be computed at any instant without the ones before. So the quotes depend neither on which symbols
are in use, nor on the steps by which time moves, nor on restarts, and every process computes the same ones.
"""

import heapq
import math
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

from marketdata.feeds import Passed, ignore
from marketdata.feeds.past import PastQuote
from marketdata.feeds.universe import TICKERS, Ticker
from marketdata.instruments import Instrument, InvalidSymbol, OptionRight, parse_symbol
from marketdata.option_pricing import SECONDS_PER_YEAR, black_scholes, smile
from marketdata.quotes import Quote
from marketdata.sessions import Session, calendar

TICK = timedelta(seconds=4)
REQUOTE = 8 * TICK  # so often the makers of an option may shift their quote a step
INSTANT = timedelta(microseconds=1)
# Quotes of a session begin this long before it; one more is stamped at the open itself.
BEFORE_OPEN = timedelta(minutes=5)
SESSION_SECONDS = 23_400.0
SESSIONS_PER_YEAR = 252
LONGEST_LAYER_SESSIONS = 256
SHORTEST_LAYER_SECONDS = 2 * TICK.total_seconds()
LAYER_STRENGTH = 0.85  # makes the layers' sum about as volatile as the ticker says
BID, ASK = 0, 1  # places of the two sides
CENT = Decimal("0.01")
NICKEL = Decimal("0.05")
RATE = 0.0  # cash earns nothing here, so a price that discounts its strike would be one to win against
NICKEL_FROM = 3.0  # USD: option prices from here on move by five cents
MASK = (1 << 64) - 1
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class SimulatedFeed:
    """Quotes of the tickers in `universe.TICKERS`, and of any well-formed option on them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.name = f"simulated:{seed}"
        self._last: dict[str, Quote] = {}

    def cursor(self) -> "SimulatedCursor":
        return SimulatedCursor(self)

    def exists(self, symbol: str) -> bool:
        try:
            instrument = parse_symbol(symbol)
        except InvalidSymbol:
            return False
        return instrument.underlying in TICKERS and not instrument.adjusted

    def first_at(self) -> datetime:
        """Never asked: the simulated market starts at a session's open."""
        return calendar().sessions[-1].open

    def quote_at(self, symbol: str, at: datetime) -> Quote | None:
        """The latest quote stamped at or before the instant, or None where the symbol has none yet or does not exist."""
        tick = self._tick_at(symbol, min(at, _last_instant(symbol))) if self.exists(symbol) else None
        return None if tick is None else self._quote(symbol, *tick)

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """As `KeepsPast`: of any instant, since quotes are computed."""
        return [self._mid(symbol, at) for at in times] if self.exists(symbol) else [None] * len(times)

    def _mid(self, symbol: str, at: datetime) -> float | None:
        tick = self._tick_at(symbol, min(at, _last_instant(symbol)))
        if tick is None:
            return None
        bid, ask, *_ = self._sides(symbol, *tick)
        return None if bid is None else float(bid + ask) / 2

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """As `KeepsPast`: of any span, since quotes are computed."""
        for stamp, _, session in self.ticks(symbol, after, until):
            bid, ask, bid_size, ask_size = self._sides(symbol, stamp, session)
            yield PastQuote(stamp, None if bid is None else float(bid), float(ask), float(bid_size), float(ask_size))

    def remember(self, symbols: Collection[str]) -> None:
        """As `KeepsPast`: nothing, quotes are computed."""

    def ticks(self, symbol: str, after: datetime, to: datetime) -> Iterator[tuple[datetime, str, Session]]:
        """When the symbol ticks in (after, to]."""
        if not self.exists(symbol):
            return
        phase, days, to = self._phase(symbol), calendar(), min(to, _last_instant(symbol))
        for session in days.between((after - timedelta(days=7)).date(), to.date() + timedelta(days=1)):
            first = session.open - BEFORE_OPEN + phase
            stamp = first + TICK * max(0, (after - first) // TICK + 1)
            while stamp < session.close and stamp <= to:
                if stamp - TICK < session.open < stamp and session.open > after:
                    yield session.open, symbol, session
                yield stamp, symbol, session
                stamp += TICK
            if stamp - TICK < session.open <= to < stamp and session.open > after:
                yield session.open, symbol, session

    def _tick_at(self, symbol: str, at: datetime) -> tuple[datetime, Session] | None:
        """The stamp of the latest tick and its session."""
        days, phase = calendar(), self._phase(symbol)
        session = days.upcoming(at)
        if at < session.open - BEFORE_OPEN + phase:
            earlier = days.previous(at)
            if earlier is None:
                return None
            session = earlier
        first = session.open - BEFORE_OPEN + phase
        end = min(at, session.close - INSTANT)
        stamp = first + TICK * ((end - first) // TICK)
        return (session.open if stamp < session.open <= at else stamp), session

    def _quote(self, symbol: str, stamp: datetime, session: Session) -> Quote:
        """The quote of a tick, with since when each side's price has stood in this session."""
        known = self._last.get(symbol)
        if known is not None and known.quoted_at == stamp:
            return known
        first = session.open - BEFORE_OPEN + self._phase(symbol)
        bid, ask, bid_size, ask_size = self._sides(symbol, stamp, session)
        prices = (bid, ask)
        since, back = [stamp, stamp], stamp
        # An absent side shows no supply, so it matters not since when; the ticks back are few, as prices rarely stand.
        standing = {side for side in (BID, ASK) if prices[side] is not None}
        while standing and back > first:
            back = _tick_before(back, session, first)
            told = known if known is not None and known.quoted_at == back else None
            then = (told.bid, told.ask) if told else self._sides(symbol, back, session)[:2]
            standing = {side for side in standing if then[side] in {None, prices[side]}}  # absent then: its price stood
            for side in [side for side in standing if then[side] is not None]:
                since[side] = (told.bid_since, told.ask_since)[side] if told else back
                if told:
                    standing.remove(side)
        quote = Quote(
            symbol, bid, ask, bid_size, ask_size, stamp, self.name, bid_since=since[BID], ask_since=since[ASK]
        )
        self._last[symbol] = quote
        return quote

    def _sides(
        self, symbol: str, stamp: datetime, session: Session
    ) -> tuple[Decimal | None, Decimal, Decimal, Decimal]:
        """Bid, ask and their sizes of a tick."""
        instrument = parse_symbol(symbol)
        if instrument.is_option:
            return self._option_sides(instrument, stamp, session)
        ticker = TICKERS[symbol]
        mid = self.spot(symbol, stamp, session)
        noise = self._hash(symbol, "book", _microseconds(stamp))
        cents = max(1, ticker.spread_cents + noise % 3 - 1)
        bid = max(1, math.floor(mid * 100.0 - cents / 2.0))
        return (
            CENT * bid,
            CENT * (bid + cents),
            _lots(ticker, noise >> 8),
            _lots(ticker, noise >> 24),
        )

    def _option_sides(
        self, instrument: Instrument, stamp: datetime, session: Session
    ) -> tuple[Decimal | None, Decimal, Decimal, Decimal]:
        spot = self.spot(instrument.underlying, stamp, session)
        value = self._option_value(instrument, spot, stamp)
        width = max(0.02, 0.03 * value + 0.0004 * spot)
        step = NICKEL if value >= NICKEL_FROM else CENT
        shift = self._hash(instrument.symbol, "requote", _microseconds(stamp) // (REQUOTE // INSTANT)) % 3 - 1
        low, high = value - width / 2.0, value + width / 2.0
        # However the makers shift it, no bid is above the value and no ask below it: then as little can be won against the
        # quotes as against the values, and that is nothing (see `smile`).
        bid = step * min(math.floor(low / float(step)) + shift, math.floor(value / float(step)))
        ask = step * max(math.ceil(high / float(step)) + shift, math.ceil(value / float(step)), 1)
        noise = self._hash(instrument.symbol, "book", _microseconds(stamp))
        size = Decimal(1 + noise % 60)
        if bid <= 0:
            return None, ask, Decimal(0), size
        return bid, max(ask, bid + step), Decimal(1 + (noise >> 8) % 60), size

    def _option_value(self, instrument: Instrument, spot: float, stamp: datetime) -> float:
        """What the contract is worth at an instant, USD per share."""
        return black_scholes(
            spot=spot,
            strike=float(instrument.contract.strike),
            years=years_left(instrument.contract.expiry, stamp),
            volatility=self.implied_volatility(instrument, spot, stamp),
            is_call=instrument.right == OptionRight.CALL,
            rate=RATE,
        )

    def implied_volatility(self, instrument: Instrument, spot: float, stamp: datetime) -> float:
        """The contract's volatility, a fraction a year."""
        return smile(
            spot=spot,
            strike=float(instrument.contract.strike),
            years=years_left(instrument.contract.expiry, stamp),
            at_the_money=TICKERS[instrument.underlying].volatility * 1.1,
        )

    def spot(self, symbol: str, stamp: datetime, session: Session) -> float:
        """The stock's fair price at an instant, USD."""
        ticker = TICKERS[symbol]
        seconds, swing = _trading_seconds(stamp, session), 0.0
        for number, (period, weight) in enumerate(LAYERS):  # not by `sum`, which rounds as the version of Python does
            place = seconds / period
            left = math.floor(place)
            share = place - left
            first, rise = self._slope(symbol, number, left)
            swing += weight * (first + rise * (share * share * (3.0 - 2.0 * share)))
        return max(1.0, ticker.price * math.exp(ticker.volatility * swing))

    @lru_cache(maxsize=200_000)  # noqa: B019 - a feed lives as long as its process
    def _slope(self, symbol: str, number: int, left: int) -> tuple[float, float]:
        """Of a layer of smooth noise: the seeded value at a whole number, about -1 to 1, and how far above it the next is."""
        first, second = (self._hash(symbol, number, place) / (MASK / 2.0) - 1.0 for place in (left, left + 1))
        return first, second - first

    @lru_cache(maxsize=10_000)  # noqa: B019 - a feed lives as long as its process
    def _phase(self, symbol: str) -> timedelta:
        """Where in the tick grid the symbol ticks: each at its own microsecond, so that two rarely meet."""
        return timedelta(microseconds=self._hash(symbol, "phase", 0) % (TICK // INSTANT))

    def _hash(self, symbol: str, kind: str | int, place: int) -> int:
        return mix(_name(self.seed, symbol, kind) + place * 0x9E3779B97F4A7C15)


class SimulatedCursor:
    """A place in the ticks of the symbols in use. Nothing has to be caught up: any instant can be computed."""

    def __init__(self, feed: SimulatedFeed) -> None:
        self.feed = feed
        self.latest: dict[str, Quote] = {}
        self._at = datetime.min.replace(tzinfo=UTC)

    def seek(self, through: datetime, *, whole: bool, passed: Passed = ignore) -> None:
        self._at = through if whole else through - INSTANT

    def until(self, to: datetime, symbols: Collection[str]) -> Iterator[Sequence[Quote]]:
        ticks = heapq.merge(*(self.feed.ticks(name, self._at, to) for name in symbols))
        for stamp, together in groupby(ticks, key=itemgetter(0)):
            self._at = stamp
            yield [self.feed._quote(symbol, stamp, session) for _, symbol, session in together]
        self._at = to


def _tick_before(stamp: datetime, session: Session, first: datetime) -> datetime:
    """The tick before this one: the grid, and one at the open."""
    if stamp == session.open:
        return first + TICK * ((stamp - first - INSTANT) // TICK)
    back = stamp - TICK
    return session.open if back < session.open < stamp else back


def _layers() -> list[tuple[float, float]]:
    """(seconds of trading, weight) of each layer, the longest first."""
    year = SESSIONS_PER_YEAR * SESSION_SECONDS
    period, layers = LONGEST_LAYER_SESSIONS * SESSION_SECONDS, []
    while period >= SHORTEST_LAYER_SECONDS:
        layers.append((period, LAYER_STRENGTH * math.sqrt(period / year)))
        period /= 2.0
    return layers


LAYERS = _layers()


def years_left(expiry: date, stamp: datetime) -> float:
    """From an instant to the close of a contract's last session, in years."""
    return max(0.0, (_expiry_close(expiry) - stamp).total_seconds() / SECONDS_PER_YEAR)


def mix(value: int) -> int:
    """The finalizer of splitmix64: 64 well-mixed bits."""
    value &= MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


@lru_cache(maxsize=100_000)
def _name(seed: int, symbol: str, kind: str | int) -> int:
    return int.from_bytes(sha256(f"{seed}/{symbol}/{kind}".encode()).digest()[:8])


@lru_cache(maxsize=10_000)
def _expiry_close(expiry: date) -> datetime:
    return calendar().last_close(expiry)


def _last_instant(symbol: str) -> datetime:
    """The last instant at which the symbol is quoted: an option's is in its last session."""
    expiry = parse_symbol(symbol).expiry
    return END_OF_TIME if expiry is None else _expiry_close(expiry) - INSTANT


def _trading_seconds(stamp: datetime, session: Session) -> float:
    """Trading time since the calendar's first session: nights and weekends do not count."""
    into = (stamp - session.open).total_seconds() / (session.close - session.open).total_seconds()
    return (_ordinal(session.date) + into) * SESSION_SECONDS


@lru_cache(maxsize=10_000)
def _ordinal(day: date) -> int:
    return len(calendar().between(date.min, day))


def _lots(ticker: Ticker, noise: int) -> Decimal:
    return Decimal(100 * (1 + noise % (2 * ticker.lots)))


def _microseconds(stamp: datetime) -> int:
    return (stamp - datetime(1970, 1, 1, tzinfo=UTC)) // INSTANT
