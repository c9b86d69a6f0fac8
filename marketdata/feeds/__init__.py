"""Where quotes come from: one file a feed, behind one small protocol."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from marketdata.quotes import Quote

Passed = Callable[[Quote], object]
# Of which price orders have taken something last, and since when it had stood: by symbol, and whether it was the ask.
Supplies = Mapping[tuple[str, bool], tuple[Decimal, datetime]]


class FeedError(Exception):
    """A feed cannot be read; the message says what to change."""


def ignore(quote: Quote) -> None:
    """For a `seek` on whose way nobody wants to see the quotes."""


class FeedCursor(Protocol):
    """A place in a feed that moves forward with exchange time: just before an instant, or after all that was stamped then."""

    latest: dict[str, Quote]

    def seek(self, through: datetime, *, whole: bool, passed: Passed = ignore) -> None:
        """Go to just after the quotes of an instant, or before them where not `whole`, filling `latest` on the way.

        A later place is reached without starting over. `passed` is given each quote on the way that the feed has; one that
        computes its quotes has none.
        """

    def until(self, to: datetime, symbols: Collection[str]) -> Iterator[Sequence[Quote]]:
        """The quotes after the place and up to `to`: all of one instant together, in order.

        A feed that computes its quotes does so for these symbols only; the others give all that they have.
        """


class Feed(Protocol):
    """A provider. `name` is what evidence says the quotes came from."""

    name: str

    def cursor(self) -> FeedCursor: ...

    def exists(self, symbol: str) -> bool:
        """False where the market knows that there is no such symbol."""

    def first_at(self) -> datetime:
        """Where exchange time starts when nothing says otherwise."""
