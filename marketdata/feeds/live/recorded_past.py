"""The past of a live market, read from its recording: quotes out of the files, bars and charts out of their minutes.

The file that is being written is read as far as it has come. Nothing is kept that the files do not say, so that they may be
deleted, and another process may lead, at any time.
"""

import threading
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from marketdata.feeds.live.minutes import Follower, Gathered, NotStored, stored_minutes
from marketdata.feeds.past import PastMinute, PastQuote
from marketdata.feeds.recording_parts import Part, parts_of
from marketdata.feeds.recording_rows import Report, Row, read_file

LOOKED_BACK = timedelta(days=7)  # for the middle that stood when a chart begins
MOST_FOLLOWED = 1_000  # symbols
MOST_FILES_FOLLOWED = 4  # the one that is being written, and those whose minutes are not stored yet


class RecordedPast:
    """For several threads at once."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._followed: dict[Part, Follower] = {}
        self._symbols: set[str] = set()  # that this process is asked for
        self._lock = threading.Lock()

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """As `KeepsPast`."""
        for part in self._parts(after, until):
            for row in self._rows(part, symbol):
                if row.at > until:
                    return
                if row.at > after and row.is_of_its_time:
                    yield row.past

    def minutes(self, symbol: str, start: datetime, until: datetime) -> Iterator[PastMinute]:
        """As `KeepsMinutes`."""
        first = start.replace(second=0, microsecond=0)
        for part in self._parts(first, until):
            for minute in self._minutes(part, symbol):
                if minute.at > until:
                    return
                if minute.at >= first:
                    yield from [minute] if minute.last <= until else self._begun(part, symbol, minute.at, until)

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """As `KeepsPast`, to the minute: within one it is still the middle at the end of the one before."""
        if not times:
            return []
        minutes = self.minutes(symbol, times[0], times[-1])
        middle, ahead, found = self._middle_before(symbol, times[0]), next(minutes, None), []
        for at in times:
            while ahead is not None and ahead.last <= at:
                middle, ahead = ahead.close, next(minutes, None)
            found.append(middle)
        return found

    def remember(self, symbols: Collection[str]) -> None:
        """As `KeepsPast`: the file that is being written is read for all of them at once."""
        parts = self._all_parts()
        if parts and symbols:
            self._follow(parts[-1], symbols)

    def _all_parts(self) -> list[Part]:
        return parts_of(self.folder) if self.folder is not None else []

    def _parts(self, start: datetime, until: datetime) -> Sequence[Part]:
        """Those that may hold something of [start, until]; each ends where the next begins."""
        parts = self._all_parts()
        first = bisect_right(parts, start, key=lambda part: part.begins) - 1
        return parts[max(first, 0) : bisect_right(parts, until, key=lambda part: part.begins)]

    def _rows(self, part: Part, symbol: str) -> Iterator[Row]:
        try:
            if stored_minutes(part, symbol) is None:
                return iter(())
        except NotStored:
            pass
        return read_file(part.path, Report(), symbol=symbol, ends=part.ends)

    def _minutes(self, part: Part, symbol: str) -> tuple[PastMinute, ...]:
        try:
            return stored_minutes(part, symbol) or ()
        except NotStored:
            return self._follow(part, [symbol], symbol)

    def _begun(self, part: Part, symbol: str, start: datetime, until: datetime) -> Sequence[PastMinute]:
        """What a minute was at an instant within it."""
        gathered = Gathered()
        for row in self._rows(part, symbol):
            if row.at > until:
                break
            if row.at >= start:
                gathered.add(row)
        return gathered.by_symbol.get(symbol, ())

    def _middle_before(self, symbol: str, at: datetime) -> float | None:
        for part in reversed(self._parts(at - LOOKED_BACK, at)):
            for minute in reversed(self._minutes(part, symbol)):
                if minute.last <= at:
                    return minute.close
        return None

    def _follow(self, part: Part, symbols: Collection[str], symbol: str = "") -> tuple[PastMinute, ...]:
        with self._lock:
            follower = self._followed.get(part)
            if follower is None or not follower.symbols.issuperset(symbols):
                if len(self._symbols) > MOST_FOLLOWED:
                    self._symbols.clear()
                self._symbols.update(symbols)
                follower = Follower(part, self._symbols)
                self._followed.pop(part, None)
                self._followed[part] = follower
                while len(self._followed) > MOST_FILES_FOLLOWED:
                    self._followed.pop(next(iter(self._followed)))
            return follower.minutes(symbol)
