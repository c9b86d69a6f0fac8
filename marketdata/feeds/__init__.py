"""Where quotes come from: one file a provider, behind one small protocol."""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Protocol

from marketdata.quotes import Quote

SymbolsInUse = Callable[[], Collection[str]]
Passed = Callable[[Quote], object]


class FeedError(Exception):
    """A feed cannot be read; the message says what to change."""


def ignore(quote: Quote) -> None:
    """Nobody wants to know."""


class FeedCursor(Protocol):
    """A place in a feed that moves forward with exchange time.

    A position is (through, rows): everything stamped before `through` is applied, and of what is stamped exactly then the
    first `rows`, or all of it where `rows` is None.
    """

    latest: dict[str, Quote]

    @property
    def position(self) -> tuple[datetime, int | None]: ...

    def seek(self, through: datetime, rows: int | None, passed: Passed = ignore) -> None:
        """Go to a position, filling `latest` on the way; a later one is reached without starting over.

        `passed` is given each quote on the way that the feed has; one that computes its quotes has none.
        """

    def until(self, to: datetime, symbols: SymbolsInUse) -> Iterator[Quote]:
        """The quotes stamped after the position and up to `to`, in order; the position follows each.

        A feed that computes its quotes does so for the symbols in use only: `symbols` gives another list once they change.
        """


class Feed(Protocol):
    """A provider. `name` is what evidence says the quotes came from."""

    name: str

    def cursor(self) -> FeedCursor: ...

    def exists(self, symbol: str) -> bool:
        """False where the market knows that there is no such symbol."""

    def first_at(self) -> datetime:
        """Where exchange time starts when nothing says otherwise."""
