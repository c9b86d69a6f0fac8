"""The recording of a live market: every quote that it took, written before anything is done with it.

In the recording format (docs/recordings.md) with one more column, `taken_at`: the instant of the market at which the quote was
taken. A step's rows are flushed to the kernel at once, so that a process that dies loses none that could have filled an order;
what was written and not done yet the next leader copies into its own first file and does, as the replay will (`lines_since`).
Which rows of whose file count is said by the files' names (`recording_parts`).
"""

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import structlog

from marketdata.feeds.live.protocol import RawQuote
from marketdata.feeds.recording_parts import name_of_part, parts_of
from papertrade.lib.files import private_file

log = structlog.get_logger(__name__)

HEADER = "ts,symbol,bid,ask,bid_size,ask_size,source,taken_at"
# A new leader reads the last file, and whoever looks at quotes of the past each that they may be in.
NEW_FILE_EVERY = timedelta(minutes=10)
LEAST_FREE_BYTES = 1_000_000_000
TRY_AGAIN_AFTER = timedelta(minutes=1)
COMPRESSION = 4
MOST_DECIMALS = 6
LONG_AGO = datetime.min.replace(tzinfo=UTC)
GZIP = 31  # zlib's window bits for the gzip format
README = """\
Quotes as this server took them, one file for ten minutes: the format is docs/recordings.md, with the column taken_at.
The names say which rows of which file count; leave them as they are. Files .minutes.gz are made of the others.
`PAPERTRADE_MARKET=recorded PAPERTRADE_RECORDING=<this folder>` plays them again as a market of its own.

The quotes are your data provider's. What you may do with them, and whom you may show them, is said in your contract with it.
"""


class Recorder:
    """Writes the recording of one leader. It never raises: without a disk the market goes on, unrecorded, and says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0  # of this leader among those that have recorded here
        self.problem = ""  # why nothing is recorded, for operators
        self._file: int | None = None
        self._packer = zlib.compressobj()
        self._begun = self._asleep_until = LONG_AGO

    def begin(self, number: int, begins: datetime, undone: Sequence[str]) -> None:
        """Lead from `begins` on: what others record as of then or later does not count any more, but for what is undone."""
        self.close()
        self.number, self._asleep_until = number, LONG_AGO
        self._record(undone, begins)

    def write(self, rows: Sequence[str], taken_at: datetime) -> None:
        """Record the quotes of one step, in the order in which they are taken."""
        if self._file is not None or taken_at >= self._asleep_until:
            self._record(rows, taken_at)

    def _record(self, rows: Sequence[str], at: datetime) -> None:
        try:
            self._open_file_of(at)
            self._append("".join(f"{row}\n" for row in rows))
        except OSError as error:
            self._give_up(f"The recording cannot be written: {error.strerror or error}.", at)

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            handle, self._file = self._file, None
            try:
                os.write(handle, self._packer.flush())
            except OSError as error:
                log.warning("recording_not_ended", error=str(error))
            os.close(handle)

    def _open_file_of(self, at: datetime) -> None:
        if self._file is not None and at - self._begun < NEW_FILE_EVERY:
            return
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self.folder).free < LEAST_FREE_BYTES:
            raise OSError(None, "less than 1 GB is free on its disk")
        readme = self.folder / "README.txt"
        if not readme.exists():
            private_file(readme, README)
        self._file = os.open(self.folder / name_of_part(at, self.number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._packer = zlib.compressobj(COMPRESSION, zlib.DEFLATED, GZIP)
        self._begun, self.problem = at, ""
        self._append(HEADER + "\n")

    def _append(self, text: str) -> None:
        assert self._file is not None, "a file is open"
        data = memoryview(self._packer.compress(text.encode()) + self._packer.flush(zlib.Z_SYNC_FLUSH))
        while data:
            data = data[os.write(self._file, data) :]

    def _give_up(self, problem: str, at: datetime) -> None:
        if problem != self.problem:
            log.warning("recording_stopped", problem=problem, folder=str(self.folder))
        self.problem = problem
        self._asleep_until = at + TRY_AGAIN_AFTER
        self.close()


def row_text(quote: RawQuote) -> str:
    """A quote as a line of a recording, but for the last column, which `taken` adds."""
    return (
        f"{_stamp(quote.quoted_at)},{quote.symbol},{_number(quote.bid)},{_number(quote.ask)},{_number(quote.bid_size)},"
        f"{_number(quote.ask_size)},{quote.feed}"
    )


def taken(lines: Sequence[str], at: datetime) -> list[str]:
    """Whole lines of a recording, of quotes that are taken at an instant."""
    last = f",{_stamp(at)}"
    return [line + last for line in lines]


def lines_since(folder: Path, taken_from: datetime) -> list[str]:
    """The lines of the recordings in a folder that were taken at or after an instant, in the order in which they were taken.

    What a crash has torn ends where it was torn. Empty where there is no recording.
    """
    found = []
    for part in parts_of(folder):
        if part.ends is not None and part.ends <= taken_from:
            continue
        # Of one width, so that text sorts as time does.
        first, end = _stamp(taken_from), _stamp(part.ends) if part.ends is not None else ""
        for line in _whole_lines(part.path):
            stamp = line[line.rfind(",") + 1 :]
            if stamp >= first and (not end or stamp < end):
                found.append(line)
    return found


def _whole_lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="ascii", errors="replace") as file:
            next(file, "")
            for line in file:
                if line.endswith("Z\n"):
                    yield line.removesuffix("\n")
    except (OSError, EOFError, zlib.error):
        return  # torn, or going away: what came before it is what there is


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _number(value: Decimal | None) -> str:
    """Of at most six decimals, as the format has it: some write eight, the last ones zeros."""
    if value is None:
        return ""
    text = f"{value:f}"
    return text if len(text.partition(".")[2]) <= MOST_DECIMALS else text.rstrip("0").rstrip(".")
