"""Query parameters as values. A parameter that nobody knows is ignored; one that cannot be read is refused."""

from datetime import UTC, date, datetime

from rest_framework.request import Request

from papertrade.lib.errors import BadRequest

TRUE, FALSE = {"true", "1"}, {"false", "0", ""}
MAX_GENERATION = 2**31 - 1
YEARS = range(1970, 3000)  # so that a period before or after it is still a time


def read_bool(request: Request, name: str) -> bool:
    """A boolean in any case. Raises BadRequest."""
    text = request.query_params.get(name, "").lower()
    if text not in TRUE | FALSE:
        raise BadRequest("A parameter cannot be used.", **{name: "must be true or false"})
    return text in TRUE


def read_count(request: Request, name: str, default: int | None = None) -> int | None:
    """A whole number of at least 0. Raises BadRequest."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest("A parameter cannot be used.", **{name: "must be a whole number"})
    return int(text)


def read_generation(request: Request) -> int | None:
    """The generation asked for, None for the current one. Raises BadRequest."""
    number = read_count(request, "generation")
    if number is not None and number > MAX_GENERATION:
        raise BadRequest("A parameter cannot be used.", generation="is too large")
    return number


def read_instant(request: Request, name: str) -> datetime | None:
    """A time in a query. Raises BadRequest."""
    text = request.query_params.get(name)
    # A plus sign that was not escaped arrives as a space.
    return None if text is None else parse_instant(text.replace(" ", "+"), name)


def parse_instant(value: object, name: str) -> datetime:
    """An RFC 3339 time, or a date, as UTC. Raises BadRequest."""
    try:
        if not isinstance(value, str) or not value.isascii() or len(value) > 40:
            raise ValueError
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if at.year not in YEARS:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadRequest(
            "A time cannot be used.",
            **{name: f"must be a time such as 2026-05-16T14:30:00Z, or a date, of {YEARS[0]} to {YEARS[-1]}"},
        ) from None
    return at


def read_date(request: Request, name: str) -> date | None:
    """A date in a query. Raises BadRequest."""
    at = read_instant(request, name)
    return at.date() if at else None
