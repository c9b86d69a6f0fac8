"""A measured figure, and progress apart from the table of them."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure and its bar. `ok` = at or above it."""

    name: str
    what: str
    figure: str
    bar: str
    ok: bool


def say(text: str) -> None:
    """Progress, apart from the table."""
    print(f"... {text}", file=sys.stderr, flush=True)
