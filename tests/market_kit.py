"""A market for a test: a small recording written by hand, played at speed 0, on the real database and quote book.

A quote is one line, `time symbol bid ask bid_size ask_size`: `"14:00:05 IBM 100.00 100.10 500 300"`. The time is UTC on
DAY (or a whole ISO time), `-` is an absent price, and sizes default to 1000.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from marketdata import clock, leases, quote_book
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from papertrade.trading.clock import advance
from papertrade.trading.mover import the_mover
from portfolio.models import Mark

DAY = "2013-10-07"  # a Monday in New York daylight time: regular hours are 13:30 to 20:00 UTC
OPEN, CLOSE = f"{DAY}T13:30:00Z", f"{DAY}T20:00:00Z"
NEXT_DAY = "2013-10-08"
STOCK = "IBM"
CALL = "O:IBM131019C00100000"  # 19 October 2013 is a Saturday: its last session is Friday the 18th
COLUMNS = ["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"]


def at(text: str, day: str = DAY) -> datetime:
    """`14:00:05` on the day, or a whole ISO time, as aware UTC."""
    whole = text if "T" in text else f"{day}T{text}"
    return datetime.fromisoformat(whole.removesuffix("Z")).replace(tzinfo=UTC)


def wire(instant: datetime | str) -> str:
    """An instant as the API writes it."""
    moment = at(instant) if isinstance(instant, str) else instant
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def csv_row(line: str) -> list[str]:
    """A quote line as a row of the recording format."""
    stamp, symbol, bid, ask, *sizes = line.split()
    bid, ask = bid.strip("-"), ask.strip("-")
    bid_size, ask_size = [*sizes, "1000", "1000"][:2] if len(sizes) != 1 else (sizes[0], sizes[0])
    when = at(stamp).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [when, symbol, bid, ask, bid_size if bid else "0", ask_size if ask else "0", "test"]


class MarketKit:
    """Plays recordings. Each `play` is a fresh market: no clock, quote book or mark of an earlier one is left."""

    def __init__(self, folder: Path, settings: Any) -> None:
        self._folder = folder
        self._settings = settings

    def play(self, *lines: str, start: str | None = None) -> None:
        """Start a recording of these quotes, sorted by time; rows up to `start` fill the book and match nothing."""
        self.play_files(self.write(*lines), start=start)

    def play_open(self) -> None:
        """What the fixture `open_market` says."""
        stamps = [f"14:0{minute}:{second:02d}" for minute in range(2) for second in range(0, 60, 10)]
        self.play(
            *(f"{stamp} {STOCK} 100.00 100.10 500 300" for stamp in stamps),
            *(f"{stamp} {CALL} 4.00 4.20 20 10" for stamp in stamps),
            start="14:00:00",
        )

    def write(self, *lines: str) -> Path:
        """The folder of a recording of these quotes, named by them: the name is in the ledgers' heads, so the same are the same."""
        text = io.StringIO()
        rows = sorted((csv_row(line) for line in lines), key=lambda row: row[0])
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
        folder = self._folder / f"recording-{sha256(text.getvalue().encode()).hexdigest()[:12]}"
        folder.mkdir(exist_ok=True)
        (folder / "quotes.csv").write_text(text.getvalue())
        return folder

    def play_files(self, place: Path, *, start: str | None = None) -> None:
        """Start a recording that exists: a folder, or one file."""
        MarketClock.objects.all().delete()
        Mark.objects.all().delete()
        quote_book.clear()
        self.choose(place, start=start)
        current_market().start()
        with leases.as_the_latest(leases.MOVER):
            the_mover().publish()

    def choose(self, place: Path, *, start: str | None = None) -> None:
        """Put a recording into the settings, and no more."""
        self._settings.PAPERTRADE_MARKET = "recorded"
        self._settings.PAPERTRADE_RECORDING = str(place)
        self._settings.PAPERTRADE_SPEED = Decimal(0)
        self._settings.PAPERTRADE_START = at(start) if start else None
        drop_market()

    def advance(self, to: str | datetime) -> None:
        """Move exchange time; a time alone is on DAY."""
        advance(to=at(to) if isinstance(to, str) else to)

    def now(self) -> datetime:
        """Exchange time."""
        return clock.read().now


def steady(symbol: str, bid: str, ask: str, times: Iterable[str], sizes: str = "1000 1000") -> list[str]:
    """The same quote repeated at each of the times, so that it never grows stale."""
    return [f"{time} {symbol} {bid} {ask} {sizes}" for time in times]
