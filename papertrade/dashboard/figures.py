"""Template tags: numbers and times as a trader reads them, with the exact value of the wire beside each.

Every figure is `<data value="...">`: the value is the wire's, to its last decimal, and the text is rounded for the eye.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from marketdata.instruments import in_words
from papertrade.dashboard import words
from papertrade.lib.times import EXCHANGE_ZONE, zone_name

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
CENTS = Decimal("0.01")
PERCENT_PLACES = Decimal("0.01")
MIN_PRICE_DECIMALS = 2

register.filter("event_words", words.event)
register.filter("status_words", words.status)
register.filter("reason_words", words.reason)
register.filter("explanation", words.explanation)


@register.filter
def money(value: Decimal | None) -> SafeString:
    """USD, shown to the cent."""
    return _figure(value, "{:.4f}", "" if value is None else grouped(value.quantize(CENTS)))


@register.filter
def signed(value: Decimal | None) -> SafeString:
    """USD with its sign, which also decides the colour."""
    return _signed(value, "{:.4f}", "" if value is None else grouped(abs(value).quantize(CENTS)))


@register.filter
def percent(value: Decimal | None) -> SafeString:
    """A fraction as per cent."""
    return _figure(value, "{:.6f}", "" if value is None else f"{(value * 100).quantize(PERCENT_PLACES)}%")


@register.filter
def signed_percent(value: Decimal | None) -> SafeString:
    """A fraction as per cent with its sign."""
    return _signed(value, "{:.6f}", "" if value is None else f"{abs(value * 100).quantize(PERCENT_PLACES)}%")


@register.filter
def share(value: float | Decimal | None) -> SafeString:
    """A fraction as the API writes it, as per cent."""
    return percent(_as_wire(value))


@register.filter
def signed_share(value: float | Decimal | None) -> SafeString:
    """The same with its sign."""
    return signed_percent(_as_wire(value))


@register.filter
def ratio(value: float | Decimal | None) -> SafeString:
    """A number as it is, to two decimals."""
    exact = _as_wire(value)
    return _figure(exact, "{:.6f}", "" if exact is None else grouped(exact.quantize(CENTS)))


def _as_wire(value: float | Decimal | str | None) -> Decimal | None:
    """A template reads an attribute of nothing as an empty text: the best day of a run that has none yet."""
    return None if value is None or value == "" else Decimal(f"{value:.6f}")


@register.filter
def quantity(value: Decimal | None) -> SafeString:
    """Shares or contracts, without zeros that say nothing."""
    return _figure(value, "{:.6f}", "" if value is None else grouped(fewest(value, 0)))


@register.filter
def price(value: Decimal | None) -> SafeString:
    """USD per share: the fewest decimals of at least two that lose nothing."""
    return _figure(value, "{:.6f}", "" if value is None else grouped(fewest(value, MIN_PRICE_DECIMALS)))


@register.filter
def when(value: datetime | None) -> SafeString:
    """A time in the viewer's zone, with the year where it is not this one, and both zones on hover."""
    if value is None:
        return SafeString(NOTHING)
    return _time(value, f"Exchange time {_to_the_millisecond(value.astimezone(EXCHANGE_ZONE))} New York")


@register.filter
def wall_time(value: datetime) -> SafeString:
    """A time of the server's own clock, such as when a key was used."""
    return _time(value, f"Server time {_to_the_millisecond(value.astimezone(UTC))} UTC")


def _time(value: datetime, title: str) -> SafeString:
    local = timezone.localtime(value)
    year = "" if local.year == timezone.now().year else f" {local.year}"
    return format_html(
        '<time datetime="{}" title="{}">{}{}, {} {}</time>',
        value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        title,
        local.strftime("%b %d"),
        year,
        local.strftime("%H:%M:%S"),
        zone_name(local),
    )


def _to_the_millisecond(value: datetime) -> str:
    return value.strftime("%a %Y-%m-%d %H:%M:%S.%f")[:-3]


@register.filter
def entry(found: Mapping[str, Any] | str, key: object) -> Any:
    """What a mapping has under a key, if there is such a mapping."""
    return found.get(str(key)) if isinstance(found, Mapping) else None


@register.filter
def run_id(account_id: object, generation: int) -> str:
    """A run as the comparison names it."""
    return f"{account_id}:{generation}"


@register.filter
def exchange_clock(value: datetime) -> str:
    """Exchange time as a clock shows it, with the year where it is not this one."""
    local = value.astimezone(EXCHANGE_ZONE)
    year = "" if local.year == timezone.now().year else f" {local.year}"
    return f"{local:%a %b %d}{year}, {local:%H:%M:%S} ET"


@register.filter
def decimal(text: str) -> Decimal:
    """A stored figure (a JSON string) as the number it is."""
    return Decimal(text)


@register.filter
def symbol(text: str) -> SafeString:
    """A ticker as it is; an option as a trader says it, with its symbol on hover."""
    return format_html('<span class="symbol" title="{}">{}</span>', text, in_words(text))


@register.filter
def duration(value: timedelta | None) -> str:
    """A length of time in its two largest units."""
    return NOTHING if value is None else _lasting(value, days=True)


@register.filter
def trading_time(value: timedelta | None) -> str:
    """A length of trading time: not in days, of which each has as many hours as its session."""
    return NOTHING if value is None else _lasting(value, days=False)


def _lasting(value: timedelta, *, days: bool) -> str:
    seconds = value.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "at once"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = divmod(int(seconds) // 60, 60)[1], int(seconds) // 3600
    if days and hours >= 24:
        return _two(hours // 24, "d", hours % 24, "h")
    return _two(hours, "h", minutes, "min") if hours else _two(minutes, "min", int(seconds) % 60, "s")


def _two(large: int, unit: str, small: int, lesser: str) -> str:
    """Two units, the smaller where there is any of it."""
    return f"{large} {unit} {small} {lesser}" if small else f"{large} {unit}"


def grouped(value: Decimal) -> str:
    """A number with its thousands apart and a real minus."""
    return f"{value:,f}".replace("-", MINUS)


def fewest(value: Decimal, at_least: int) -> Decimal:
    """The number to six decimals without trailing zeros, but with at least so many decimals."""
    whole, _, decimals = f"{value:.6f}".partition(".")
    return Decimal(f"{whole}.{decimals.rstrip('0').ljust(at_least, '0')}")


def _figure(value: Decimal | None, wire: str, text: str) -> SafeString:
    if value is None:
        return SafeString(f'<span class="quiet">{NOTHING}</span>')
    return format_html('<data value="{0}" title="{0}">{1}</data>', wire.format(value), text)


def _signed(value: Decimal | None, wire: str, text: str) -> SafeString:
    if value is None:
        return _figure(value, wire, text)
    visible = any(digit in text for digit in "123456789")
    kind, sign = ("up", "+") if value > 0 else ("down", MINUS) if value < 0 else ("flat", "")
    sign = sign if visible else ""
    return format_html('<data class="{0}" value="{1}" title="{1}">{2}{3}</data>', kind, wire.format(value), sign, text)


FORMATS: dict[str, Any] = {
    "money": money,
    "signed": signed,
    "percent": percent,
    "signed_percent": signed_percent,
    "quantity": quantity,
    "price": price,
    "when": when,
    "symbol": symbol,
    "status": words.status,
    "reason": words.reason,
}


@register.filter
def as_kind(value: Any, kind: str) -> Any:
    """A table's cell in the format of its column; text is shown as it is."""
    show = FORMATS.get(kind)
    return show(value) if show else value
