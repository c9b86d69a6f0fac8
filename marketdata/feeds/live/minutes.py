"""Minutes of a live recording, by symbol: what bars are made of, so that nobody reads every quote of a month for them.

Beside each file of the recording that is over (`recording_parts`) a file of its minutes is stored. It is named by the file and
by where that one ends, so that one that exists is right; it is made of nothing else, and may be made again at any time.
"""

import gzip
import time
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from marketdata.feeds.past import EPOCH, MICROSECOND, PastMinute
from marketdata.feeds.recording_parts import Part, parts_of
from marketdata.feeds.recording_rows import COLUMNS_TAKEN, Report, Row, read_file, read_row
from papertrade.lib.files import private_part

SUFFIX = ".minutes.gz"
CHUNK_BYTES = 256 * 1024  # of compressed rows, that a reader unpacks at once
GZIP = 31  # zlib's window bits for the gzip format


class NotStored(Exception):
    """There is no file of minutes yet."""


class Gathered:
    """The minutes of several symbols, made row by row."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, list[PastMinute]] = {}

    def add(self, row: Row) -> None:
        """The next row. One without a middle is known to be there."""
        found = self.by_symbol.setdefault(row.symbol, [])
        middle = row.past.middle if row.is_of_its_time else None
        if middle is None:
            return
        if found and middle.at - found[-1].at < timedelta(minutes=1):
            found[-1] = found[-1].with_middle(middle)
        else:
            found.append(PastMinute.of(middle))


class Follower:
    """Reads a file as far as it has come, for some symbols; the next time it goes on there."""

    def __init__(self, part: Part, symbols: Iterable[str]) -> None:
        self.part, self.symbols = part, frozenset(symbols)
        self._wanted = {symbol.encode() for symbol in self.symbols}
        self._gathered = Gathered()
        self._unpacker = zlib.decompressobj(GZIP)
        self._read = 0  # bytes
        self._rest = b""  # of a line that has not ended yet

    def minutes(self, symbol: str) -> tuple[PastMinute, ...]:
        """A symbol's, up to what was written last."""
        self._go_on()
        return tuple(self._gathered.by_symbol.get(symbol, ()))

    def _go_on(self) -> None:
        try:
            with self.part.path.open("rb") as file:
                file.seek(self._read)
                while data := file.read(CHUNK_BYTES):
                    self._read += len(data)
                    self._take(self._unpacker.decompress(data))
        except (OSError, zlib.error):
            return  # torn, or deleted meanwhile: what came before it is what there is

    def _take(self, text: bytes) -> None:
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            fields = line.split(b",", 2)
            if len(fields) > 1 and fields[1] in self._wanted:
                self._take_row(line.decode("ascii", "replace"))

    def _take_row(self, line: str) -> None:
        try:
            row = read_row(line.split(","), columns=COLUMNS_TAKEN)
        except ValueError:
            return
        if self.part.ends is None or row.at < self.part.ends:
            self._gathered.add(row)


def stored_minutes(part: Part, symbol: str) -> tuple[PastMinute, ...] | None:
    """A symbol's minutes in a file that is over; None where no row of it is there. Raises NotStored."""
    if part.ends is None:
        raise NotStored
    return _of_symbol(_place_of(part), symbol)


@lru_cache(maxsize=8_192)  # of ten minutes each, about 2 kB
def _of_symbol(place: Path, symbol: str) -> tuple[PastMinute, ...] | None:
    try:
        text = "\n" + gzip.decompress(place.read_bytes()).decode()
    except (OSError, EOFError, zlib.error):
        raise NotStored from None
    begin = text.find(f"\n{symbol},")
    if begin < 0:
        return None
    lines = (line.split(",") for line in text[begin + 1 :].split("\n"))
    found = []
    for name, *values in lines:
        if name != symbol:
            break
        if len(values) > 1:
            found.append(_read(values))
    return tuple(found)


def store_minutes(folder: Path, *, seconds: float) -> int:
    """Make the files of minutes that are missing, the newest first, for so long; how many. Those of files that are gone go."""
    deadline, made = time.monotonic() + seconds, 0
    missing = {_place_of(part): part for part in parts_of(folder) if part.ends is not None}
    for place in folder.glob(f"*{SUFFIX}"):
        if missing.pop(place, None) is None:
            place.unlink(missing_ok=True)
    for place, part in reversed(missing.items()):
        if time.monotonic() > deadline:
            break
        gathered = Gathered()
        for row in read_file(part.path, Report(), ends=part.ends):
            gathered.add(row)
        with private_part(place) as unfinished:
            unfinished.write_bytes(gzip.compress(_text(gathered).encode()))
        made += 1
    return made


def _place_of(part: Part) -> Path:
    return part.path.with_name(f"{part.path.name.removesuffix('.csv.gz')}-to-{part.ends:%Y%m%d-%H%M%S%f}{SUFFIX}")


def _text(gathered: Gathered) -> str:
    lines = []
    for symbol, minutes in sorted(gathered.by_symbol.items()):
        lines.append(f"{symbol},")
        lines += (f"{symbol},{','.join(map(repr, _values(minute)))}" for minute in minutes)
    return "".join(f"{line}\n" for line in lines)


def _values(minute: PastMinute) -> list[float]:
    at, *numbers, last = minute
    return [_microseconds(at), *numbers, _microseconds(last)]


def _read(values: list[str]) -> PastMinute:
    at, opened, high, low, close, quotes, total, last = values
    prices = float(opened), float(high), float(low), float(close)
    return PastMinute(_instant(at), *prices, int(quotes), float(total), _instant(last))


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _instant(text: str) -> datetime:
    return EPOCH + int(text) * MICROSECOND
