"""The live feed of the process that leads: a provider in its thread, the recording, and the quotes that the market takes.

What was heard becomes quotes when a step *takes* it, all at the instant of that step. Taken quotes are recorded first; so the
recording is the market's memory: what a leader recorded and died before doing, the next one does, just as a replay will. From
where that one begins the recording is its own.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from marketdata.feeds import Passed, Supplies, ignore
from marketdata.feeds.live.intake import CONFLATED, DUPLICATE, OUT_OF_ORDER, TAKEN, Intake
from marketdata.feeds.live.io_thread import Build, IoThread
from marketdata.feeds.live.protocol import Count
from marketdata.feeds.live.recorded_past import RecordedPast
from marketdata.feeds.live.recorder import LONG_AGO, Recorder, lines_since, row_text, taken
from marketdata.feeds.past import PastMinute, PastQuote
from marketdata.feeds.recording_parts import newest_number
from marketdata.feeds.recording_rows import COLUMNS_TAKEN, Row, read_row
from marketdata.quotes import TOLERANCE_OF_TAKEN, Quote
from marketdata.sessions import Session
from papertrade.lib.times import MOMENT

LAGS_KEPT = 200  # of the latest quotes, for the median
FRESH = timedelta(seconds=0.2)  # for so long a step takes what was judged before it, and does not listen again itself
LOOKED_BACK = timedelta(minutes=10)  # into the recording, where no quote book says from when on it is needed


class Heard(NamedTuple):
    """A line of the recording, and what a reader of it sees; but for when it was taken, as long as it has not been."""

    text: str
    row: Row


@dataclass(frozen=True, slots=True)
class Known:
    """What a new leader knows of the quotes before it: the quote book, and up to which instant that is filled."""

    latest: dict[str, Quote] = field(default_factory=dict)
    filled_to: datetime | None = None


def one_more(newest: int) -> int:
    """The number of a leader whom nobody else can meet."""
    return newest + 1


class LiveFeed:
    """Made in every process that asks for the market; only the one that leads starts the provider.

    `number` makes the number of a leader from the highest that has recorded; it raises where another leads by now.
    """

    def __init__(
        self,
        name: str,
        build: Build,
        *,
        folder: Path | None,
        known: Callable[[], Known] = Known,
        number: Callable[[int], int] = one_more,
    ) -> None:
        self.name = name
        self.intake = Intake()
        self.folder = folder
        self.known, self.number = known, number
        self.supplies: Callable[[], Supplies] = dict
        self.lags: deque[timedelta] = deque(maxlen=LAGS_KEPT)
        self.recorder = Recorder(folder) if folder is not None else None
        self.past = RecordedPast(folder)
        self._thread = IoThread(build, self.intake)

    def lead(self) -> None:
        """Start the provider."""
        self._thread.start()

    def stop(self) -> None:
        """Close the provider's connections first of all, and end the recording."""
        self._thread.stop()
        if self.recorder is not None:
            self.recorder.close()

    @property
    def thread(self) -> IoThread:
        return self._thread

    def note_lags(self, news: Sequence["Heard"], to: datetime, session: Session | None) -> None:
        """By how much these were older than the market: of a session's quotes alone, as others stand for hours."""
        if session is None:
            self.lags.clear()
        else:
            self.lags.extend(to - heard.row.quoted_at for heard in news if heard.row.quoted_at >= session.open)

    @property
    def lag(self) -> timedelta | None:
        """By how much the latest quotes were older than the market when it took them: the median of many."""
        return sorted(self.lags)[len(self.lags) // 2] if len(self.lags) >= LAGS_KEPT // 2 else None

    def cursor(self) -> "LiveCursor":
        return LiveCursor(self)

    def exists(self, symbol: str) -> bool:
        return True

    def first_at(self) -> datetime:
        raise NotImplementedError("a live market begins now")

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """As `KeepsPast`: what was recorded."""
        return self.past.quotes(symbol, after, until)

    def minutes(self, symbol: str, start: datetime, until: datetime) -> Iterator[PastMinute]:
        """As `KeepsMinutes`."""
        return self.past.minutes(symbol, start, until)

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """As `KeepsPast`."""
        return self.past.mids(symbol, times)

    def remember(self, symbols: Collection[str]) -> None:
        """As `KeepsPast`."""
        self.past.remember(symbols)


class LiveCursor:
    """What the market has taken, and what it has still to do of it."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.latest: dict[str, Quote] = {}
        self.changed: set[str] = set()  # symbols of which the quote book does not have the latest yet
        self._taken: deque[tuple[datetime, list[Row]]] = deque()  # and not given out by `until` yet
        self._news: dict[str, Heard] = {}  # by symbol, to be taken by the next step
        self._listened_at = LONG_AGO  # since the last step
        self._supplies: dict[tuple[str, bool], tuple[Decimal, datetime]] = {}
        self._at: datetime | None = None  # where it stands; None = it has not been put anywhere

    def seek(self, through: datetime, *, whole: bool, passed: Passed = ignore) -> None:
        if self._at is None or self._at > through or (self._at == through and not whole):
            self._recover(through, whole, passed)
        while self._taken and (self._taken[0][0] < through or (whole and self._taken[0][0] == through)):
            _, rows = self._taken.popleft()
            for row in rows:  # another process was faster
                passed(self._follow(row))
        self._at = max(self._at or through, through)

    def until(self, to: datetime, symbols: Collection[str]) -> Iterator[Sequence[Quote]]:
        while self._taken and self._taken[0][0] <= to:
            self._at, rows = self._taken.popleft()
            yield [self._follow(row) for row in rows]

    def listen(self, now: datetime) -> None:
        """Judge what was heard, while requests still pass: the next step takes it, or what supersedes it until then."""
        if self._at is None:
            return
        outcomes: Counter[str] = Counter()
        for raw in self.feed.intake.take_quotes():
            text = row_text(raw)
            try:
                row = read_row(text.split(","))
            except ValueError:
                outcomes[str(Count.BAD)] += 1
                continue
            outcome = self._judge(row, now)
            outcomes[outcome] += 1
            if outcome in {TAKEN, CONFLATED}:
                self._news[row.symbol] = Heard(text, row)
        self.feed.intake.count_outcomes(outcomes)
        self._listened_at = now

    def hear(self, to: datetime) -> list[Heard]:
        """What is news, by the exchange's time, then by symbol: as `listen` has judged it since the last step.

        Where a step had to wait for the gate, or for the rest of another, what has come since then counts too: nobody is filled
        at a price that is known to stand no more.
        """
        if to - self._listened_at > FRESH:
            self.listen(to)
        news, self._news, self._listened_at = self._news, {}, LONG_AGO
        return sorted(news.values(), key=lambda heard: (heard.row.quoted_at, heard.row.symbol))

    def take(self, news: Sequence[Heard], to: datetime) -> None:
        """Record it, and let `until` give it out at the instant `to`."""
        if self.feed.recorder is not None:
            self.feed.recorder.write(taken([heard.text for heard in news], to), to)
        self._taken.append((to, [heard.row.taken(to) for heard in news]))

    def _judge(self, row: Row, now: datetime) -> str:
        """Whether a quote is news, alone or in the place of what waits for the next step; or why it is not."""
        waiting = self._news.get(row.symbol)
        if waiting is not None:
            return CONFLATED if waiting.row.quoted_at <= row.quoted_at else OUT_OF_ORDER
        known = self.latest.get(row.symbol)
        if known is None or known.quoted_at < row.quoted_at or known.quoted_at - now > TOLERANCE_OF_TAKEN:
            return TAKEN
        if known.quoted_at > row.quoted_at:
            return OUT_OF_ORDER
        same = (known.bid, known.ask, known.bid_size, known.ask_size) == (row.bid, row.ask, row.bid_size, row.ask_size)
        return DUPLICATE if same else TAKEN

    def _follow(self, row: Row) -> Quote:
        before = self.latest.get(row.symbol)
        quote = row.follow(before, feed=self.feed.name)
        if self._supplies:
            known_since = before.quoted_at if before is not None else LONG_AGO
            quote = replace(
                quote,
                bid_since=self._since(quote.symbol, False, quote.bid, quote.bid_since, known_since),
                ask_since=self._since(quote.symbol, True, quote.ask, quote.ask_since, known_since),
            )
        self.latest[row.symbol] = quote
        self.changed.add(row.symbol)
        return quote

    def _since(self, symbol: str, is_ask: bool, price: Decimal | None, since: datetime, known: datetime) -> datetime:
        """Since when a price has stood: orders may have taken from it after the last quote that is known from before."""
        before = self._supplies.pop((symbol, is_ask), None)
        return before[1] if before is not None and before[0] == price and known < before[1] < since else since

    def _recover(self, through: datetime, whole: bool, passed: Passed) -> None:
        """Begin where another leader ended: with its quote book, and from there on with its recording."""
        known = self.feed.known()
        self.latest, self._taken = dict(known.latest), deque()
        self.changed = set(self.latest)
        for quote in self.latest.values():
            passed(quote)
        since = min(through, known.filled_to) if known.filled_to else through - LOOKED_BACK
        recorded = self._take_the_recording_over(since, through)
        for at, together in groupby((heard.row for heard in recorded), key=attrgetter("at")):
            if at < through or (whole and at == through):
                for row in together:
                    before = self.latest.get(row.symbol)
                    if before is None or before.at < row.at:
                        passed(self._follow(row))
            else:
                self._taken.append((at, list(together)))
        is_behind = known.filled_to is None or known.filled_to < through
        self._supplies = dict(self.feed.supplies()) if is_behind else {}

    def _take_the_recording_over(self, since: datetime, through: datetime) -> list[Heard]:
        """What was recorded since an instant. Of what comes after `through` only this counts from now on: a leader before this
        one may be stopped between the look at its lease and the write of a step's rows.
        """
        folder, recorder = self.feed.folder, self.feed.recorder
        if folder is None or recorder is None:
            return []
        number = self.feed.number(newest_number(folder))
        recorded = _heard_since(folder, since)
        recorder.begin(number, through + MOMENT, [heard.text for heard in recorded if heard.row.at > through])
        return recorded


def _heard_since(folder: Path, since: datetime) -> list[Heard]:
    """The good rows of the recording in a folder that were taken at or after an instant."""
    found = []
    for line in lines_since(folder, since):
        try:
            found.append(Heard(line, read_row(line.split(","), columns=COLUMNS_TAKEN)))
        except ValueError:
            continue
    return found
