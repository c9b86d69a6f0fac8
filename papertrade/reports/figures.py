"""Every chart of the product as a Plotly figure: account page, comparison, symbol page, admin and tearsheet draw these.

A figure is plain JSON, `{"data": [...], "layout": {...}}`, as Plotly's Python library would write it (the tests check figures
with it), so that no web process has to load that library. A color is written `token:accent`, and `draw.js` replaces it by the
value that the page's theme gives the token; `layout.meta` tells it how to read values aloud. Floats are fine here: they are
positions on a screen.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from operator import itemgetter
from typing import Any

from papertrade.lib.times import EXCHANGE_ZONE, zone_name
from papertrade.reports.axis import TradingAxis
from portfolio.history import HistoryPoint

Figure = dict[str, Any]

TICKS_WIDE, TICKS_NARROW = 7, 3
LEFT_MARGIN, DIGIT_WIDTH = 14, 7.5  # px; a digit of the axis at the size of its font
EDGE_SHARE = 0.015  # of the axis: room for the marks at both ends
LINE_WIDTH = 1.8
MARKER = {"buy": ("triangle-up", "up"), "sell": ("triangle-down", "down"), "settlement": ("diamond", "violet")}
COMPARED = ("accent", "violet", "up", "warn", "down", "quiet")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, to be marked on a curve: `kind` is buy, sell or settlement."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve by name: (time, value) in order, and the token of its colour."""

    name: str
    points: Sequence[tuple[datetime, float]]
    token: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What the charts of a page share: the axis, and how times are written."""

    axis: TradingAxis
    zone: tzinfo = EXCHANGE_ZONE
    this_year: int = 0

    def told(self, at: datetime) -> str:
        """A time as the charts say it: with the year where it is not this one."""
        local = at.astimezone(self.zone)
        year = "" if local.year == self.this_year else f", {local.year}"
        return f"{local:%a %b} {local.day}{year}, {local:%H:%M} {zone_name(local)}"


def carried(points: Sequence[HistoryPoint], width: timedelta, axis: TradingAxis) -> list[HistoryPoint]:
    """The points; where trading time without one passes, the last value is carried to half a bucket before the next."""
    found: list[HistoryPoint] = []
    minutes = width / timedelta(minutes=1)
    for point in points:
        before = found[-1] if found else None
        if before is not None and axis.place(point.timestamp) - axis.place(before.timestamp) > 1.5 * minutes:
            found.append(replace(before, timestamp=point.timestamp - width / 2))
        found.append(point)
    return found


def account_figures(
    points: Sequence[HistoryPoint], marks: Sequence[Mark], frame: Frame, *, benchmark: Line | None = None
) -> dict[str, Figure]:
    """Equity with its marks, cash and market value, profit and loss, drawdown."""
    times = [point.timestamp for point in points]
    places, told = [frame.axis.place(at) for at in times], [frame.told(at) for at in times]

    def line(name: str, token: str, *, field: str = "", steps: bool = False, factor: float = 1.0) -> dict[str, Any]:
        values = [factor * float(getattr(point, field or name)) for point in points]
        return _trace(name, places, values, token, steps=steps)

    def figure(first: dict[str, Any], *others: dict[str, Any], suffix: str = "") -> Figure:
        """One curve of a figure tells the time for all of them."""
        return _figure([first | {"customdata": told}, *others], frame, suffix=suffix)

    beside = [] if benchmark is None else [_line(benchmark, frame)]
    found = {
        "equity": figure(line("equity", "accent"), *beside, *_marked(marks, points, frame)),
        "parts": figure(line("cash", "accent", steps=True), line("market value", "violet", field="market_value")),
        "pl": figure(
            line("realized", "accent", field="realized_pl", steps=True),
            line("unrealized", "violet", field="unrealized_pl"),
        ),
        "drawdown": figure(
            line("drawdown", "down", factor=-100.0) | {"fill": "tozeroy", "fillcolor": "token:down/0.15"}, suffix="%"
        ),
    }
    # One above the other: a time stands at the same place in both.
    digits = max((len(f"{point.equity:,.0f}") for point in points), default=0)
    for name in ("equity", "drawdown"):
        found[name]["layout"]["margin"]["l"] = round(LEFT_MARGIN + DIGIT_WIDTH * digits)
    return found


def comparison(lines: Sequence[Line], frame: Frame) -> Figure:
    """Curves in per cent since their start, on one axis."""
    return _figure([_line(line, frame) for line in lines], frame, suffix="%")


def price_chart(mid: Line, marks: Sequence[Mark], limits: Iterable[tuple[str, Decimal]], frame: Frame) -> Figure:
    """A symbol's mid price with the trader's fills on it, and a line for each waiting limit, colored by its side."""
    figure = _figure([_line(mid, frame), *_marked_on(marks, mid.points, frame)], frame)
    figure["layout"]["shapes"] = [
        {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": float(price),
            "y1": float(price),
            "line": {"color": f"token:{'up' if side == 'buy' else 'down'}", "width": 1.2, "dash": "dot"},
        }
        for side, price in limits
    ]
    return figure


def _line(line: Line, frame: Frame) -> dict[str, Any]:
    trace = _trace(line.name, [frame.axis.place(at) for at, _ in line.points], [y for _, y in line.points], line.token)
    trace["customdata"] = [frame.told(at) for at, _ in line.points]
    if line.dashed:
        trace["line"] |= {"dash": "dot", "width": 1.5}
    return trace


def _trace(
    name: str, places: Sequence[float], values: Sequence[float], token: str, *, steps: bool = False
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(places) > 1 else "markers",
        "name": name,
        "hoverinfo": "none",
        "x": places,
        "y": [round(value, 6) for value in values],
        "line": {"color": f"token:{token}", "width": LINE_WIDTH, "shape": "hv" if steps else "linear"},
    }


def _marked(marks: Sequence[Mark], points: Sequence[HistoryPoint], frame: Frame) -> list[dict[str, Any]]:
    return _marked_on(marks, [(point.timestamp, float(point.equity)) for point in points], frame)


def _marked_on(marks: Sequence[Mark], curve: Sequence[tuple[datetime, float]], frame: Frame) -> list[dict[str, Any]]:
    """A trace for each kind of mark, each mark on the curve at its time."""
    found = []
    for kind, (shape, token) in MARKER.items():
        mine = [mark for mark in marks if mark.kind == kind and curve and curve[0][0] <= mark.at]
        if mine:
            found.append({
                "type": "scatter", "mode": "markers", "name": kind, "hoverinfo": "none",
                "x": [frame.axis.place(mark.at) for mark in mine], "y": [_value_at(curve, mark.at) for mark in mine],
                "customdata": [frame.told(mark.at) for mark in mine], "text": [mark.text for mark in mine],
                "marker": {
                    "symbol": shape, "size": 9, "color": f"token:{token}", "line": {"width": 1, "color": "token:surface"},
                },
            })  # fmt: skip
    return found


def _value_at(curve: Sequence[tuple[datetime, float]], at: datetime) -> float:
    """The value of the first point at or after that time, which shows the fill's effect; else of the last point."""
    place = min(bisect_left(curve, at, key=itemgetter(0)), len(curve) - 1)
    return round(curve[place][1], 6)


def _figure(traces: list[dict[str, Any]], frame: Frame, *, suffix: str = "") -> Figure:
    axis, edge = frame.axis, max(0.5, EDGE_SHARE * frame.axis.length)
    ticks = {
        name: [[tick.place, tick.label] for tick in axis.ticks(frame.zone, most=most, this_year=frame.this_year)]
        for name, most in (("wide", TICKS_WIDE), ("narrow", TICKS_NARROW))
    }
    common: Mapping[str, Any] = {
        "gridcolor": "token:grid",
        "linecolor": "token:grid",
        "zerolinecolor": "token:line-strong",
        "fixedrange": True,
    }
    layout = {
        "margin": {"l": 8, "r": 14, "t": 10, "b": 26},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "showlegend": False, "hovermode": "x",
        "hoverdistance": -1, "font": {"size": 11.5, "color": "token:quiet"},
        "xaxis": {
            **common, "range": [-edge, axis.length + edge], "showgrid": False, "zeroline": False, "tickangle": 0,
            "showspikes": True, "spikemode": "across", "spikethickness": 1, "spikedash": "solid",
            "spikecolor": "token:line-strong", "spikesnap": "hovered data",
        },
        "yaxis": {**common, "tickformat": ",", "nticks": 6, "ticksuffix": suffix, "automargin": True},
        "meta": {"ticks": ticks, "suffix": suffix},
    }  # fmt: skip
    return {"data": traces, "layout": layout}
