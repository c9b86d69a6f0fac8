"""Where quotes come from: one file a provider, behind one small protocol."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Protocol

from marketdata.quotes import Quote

SymbolsInUse = Callable[[], Collection[str]]


class FeedCursor(Protocol):
    """A place in a feed that moves forward with exchange time.

    A position is (through, rows): everything stamped before `through` is applied, and of what is stamped exactly then the
    first `rows`, or all of it where `rows` is None.
    """

    latest: dict[str, Quote]

    @property
    def position(self) -> tuple[datetime, int | None]: ...

    def seek(self, through: datetime, rows: int | None) -> None:
        """Go to a position, filling `latest` on the way; a later one is reached without starting over."""

    def until(self, to: datetime, symbols: SymbolsInUse) -> Iterator[Quote]:
        """The quotes stamped after the position and up to `to`, in order; the position follows each."""


class Feed(Protocol):
    """A provider. `name` is what evidence says the quotes came from."""

    name: str

    def cursor(self) -> FeedCursor: ...

    def exists(self, symbol: str) -> bool:
        """False where the market knows that there is no such symbol."""

    def first_at(self) -> datetime:
        """Where exchange time starts when nothing says otherwise."""
