"""A recording as a file: gzip, the header, whole or not at all, and the same bytes for the same rows."""

import contextlib
import gzip
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from marketdata.feeds.recording_rows import COLUMNS
from papertrade.lib.files import private_part

STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@contextlib.contextmanager
def recording(to: Path) -> Iterator[TextIO]:
    """Where rows are written to, one a line; the header is there."""
    with (
        private_part(to) as unfinished,
        open(unfinished, "wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as out,
    ):
        out.write(",".join(COLUMNS) + "\n")
        yield out


def fields(
    symbol: str,
    bid: Decimal | None,
    ask: Decimal | None,
    bid_size: Decimal | None,
    ask_size: Decimal | None,
    source: str,
) -> str:
    """What follows the time in a row."""
    return ",".join((symbol, *map(_plain, (bid, ask, bid_size, ask_size)), source))


def _plain(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
