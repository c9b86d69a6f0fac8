"""How numbers stand in sentences and in names of rows. Pure."""

from decimal import Decimal


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 book`, `2 books`, `12,000 books`; `things` where the plural is not made with an s."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def short(value: Decimal | None, at_least: int = 0) -> str:
    """A number with commas between thousands, without trailing zeros beyond `at_least` decimals; a dash for None."""
    if value is None:
        return "\N{EN DASH}"
    whole, _, decimals = f"{value:,f}".partition(".")
    decimals = decimals.rstrip("0").ljust(at_least, "0")
    return f"{whole}.{decimals}" if decimals else whole
