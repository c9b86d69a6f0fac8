"""Pages of the past: however they are cut, together they are all rows, each once and in order."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.bars import DAY
from marketdata.history import Place, Reading, Span, page, read_place

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Row(NamedTuple):
    """One of several that may share an instant."""

    symbol: str
    at: datetime
    number: int


rows_of_time = st.lists(
    st.tuples(st.sampled_from(["AAA", "B", "O:B260320C00100000"]), st.integers(0, 400)), max_size=25
).map(
    lambda drawn: [
        Row(symbol, START + HOUR * hours, number)
        for number, (symbol, hours) in enumerate(sorted(drawn, key=lambda row: row[1]))
    ]
)


def reading(rows: list[Row], reach: timedelta | None) -> Reading[Row]:
    def read(symbol: str, start: datetime, until: datetime) -> Iterator[Row]:
        return (row for row in rows if row.symbol == symbol and start <= row.at <= until)

    return Reading(read, lambda row: row.at, DAY, reach)


@given(
    rows_of_time,
    st.integers(1, 7),
    st.booleans(),
    st.sampled_from([None, timedelta(days=2), timedelta(days=5)]),
)
def test_pages_together_are_the_whole(rows: list[Row], limit: int, descending: bool, reach: timedelta | None) -> None:
    symbols = sorted({row.symbol for row in rows})
    span = Span(START + HOUR, START + 390 * HOUR, descending)
    found: dict[str, list[Row]] = {symbol: [] for symbol in symbols}
    after, pages = None, 0
    while pages == 0 or after is not None:
        part = page(reading(rows, reach), symbols, span, limit=limit, after=after)
        assert sum(map(len, part.rows.values())) <= limit
        for symbol, some in part.rows.items():
            found[symbol] += some
        after = part.following and read_place(str(part.following))
        pages += 1
        assert pages < 200, "each page goes on"
    inside = [row for row in rows if span.start <= row.at <= span.until]
    for symbol in symbols:
        whole = [row for row in inside if row.symbol == symbol]
        assert found[symbol] == (whole[::-1] if descending else whole)


LAST_MICROSECOND = 253_402_300_799_999_999  # of the year 9999: there is no time after it


@pytest.mark.parametrize(
    "text",
    ["", "IBM", "IBM|x|0", "IBM|1|-1", "IBM|1|2|3", f"IBM|{10**30}|0", f"IBM|{LAST_MICROSECOND}|0", "IBM|١|0"],
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError):
        read_place(text)


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place("BRK.B", START + timedelta(microseconds=1), 3)
    assert read_place(str(place)) == place
