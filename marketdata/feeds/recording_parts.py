"""The files of a live market's recording, and which rows of each count.

Each leader begins files of its own, and names them by the first instant that they may hold and by a number that is higher than
that of every leader before it: `live-20261120-143000200000-0000000042.csv.gz`. From that instant on nothing counts that is in
the file of a lower number. So a leader that was stopped may write what it likes when it wakes up: whoever leads by then began
at the first instant that was not done yet, and nobody reads rows that nobody did.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import time_ns
from typing import NamedTuple

_NAME = re.compile(r"live-(\d{8})-(\d{6})(\d{6})-(\d{1,18})\.csv\.gz", re.ASCII)
# A folder that was changed less long ago than this may change again within the same tick of its clock.
_SETTLED_NS = 2_000_000_000


class Part(NamedTuple):
    """One file. Its rows count that were taken in [begins, ends); `ends` is None of the last one, which may still grow."""

    path: Path
    number: int
    begins: datetime
    ends: datetime | None


def name_of_part(begins: datetime, number: int) -> str:
    """The name of a file whose first rows may be of `begins`, by the leader of that number."""
    return f"live-{begins:%Y%m%d-%H%M%S%f}-{number:010}.csv.gz"


def parts_of(folder: Path) -> list[Part]:
    """The files in a folder that have rows that count, by time; none where there is no such folder."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return []
    if time_ns() - changed < _SETTLED_NS:
        return _read_folder(folder)
    return _settled_folder(folder, changed)


@lru_cache(maxsize=8)
def _settled_folder(folder: Path, changed_ns: int) -> list[Part]:
    return _read_folder(folder)


def _read_folder(folder: Path) -> list[Part]:
    return parts_among(folder.glob("live-*.csv.gz"))


def parts_among(paths: Iterable[Path]) -> list[Part]:
    """Those of the files that are a live recording's and have rows that count, by time."""
    found = [(*name, path) for path in paths if (name := _read_name(path.name))]
    parts: list[Part] = []
    ends: datetime | None = None
    for number, begins, path in sorted(found, reverse=True):
        # Of one leader a file ends where the next begins; what a later leader began before it is void altogether.
        if ends is None or begins < ends:
            parts.append(Part(path, number, begins, ends))
            ends = begins
    return parts[::-1]


def newest_number(folder: Path) -> int:
    """The highest number of a leader that has recorded in a folder; 0 where none has."""
    names = (_read_name(path.name) for path in folder.glob("live-*.csv.gz"))
    return max((name[0] for name in names if name), default=0)


def is_part(path: Path) -> bool:
    """Whether a file is named as one of a live recording."""
    return _read_name(path.name) is not None


def _read_name(name: str) -> tuple[int, datetime] | None:
    """The number and the begin that a name says."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    day, clock, fraction, number = match.groups()
    try:
        begins = datetime.fromisoformat(f"{day}T{clock}.{fraction}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(number), begins
