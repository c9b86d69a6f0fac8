"""Tables of the account pages: columns as data; searching, filtering, sorting, paging and CSV from the same description.

Rows come from a query set, or from a short list (what an account holds is short). Paging looks one row ahead instead of
counting, so that a page costs the same in an account of a million orders.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlencode

from django.db.models import QuerySet

from papertrade.dashboard.live import state_of
from papertrade.lib.spreadsheets import each
from portfolio.money import PRICE_DECIMALS

PAGE_ROWS = 25
MAX_PAGE, MAX_PAGE_DIGITS = 10_000, 9
NUMERIC = frozenset(
    {
        "money",
        "signed",
        "percent",
        "signed_percent",
        "quantity",
        "held",
        "filled",
        "price",
        "mark",
        "limit",
        "bid",
        "ask",
        "count",
        "unrealized",
    }
)
SAID_WHERE_THERE_IS_SOMETHING = frozenset({"reason", "order_link"})
PRICES = frozenset({"price", "mark", "limit", "bid", "ask"})

Rows: TypeAlias = Any  # a QuerySet, or rows that are already read
Narrow = Callable[[Rows, str], Rows]


@dataclass(frozen=True)
class Column:
    """One column. `value` reads a row; `order_by` is the database's field, for lists anything true means sortable."""

    name: str
    label: str
    value: Callable[[Any], Any]
    kind: str = "text"
    order_by: str = ""
    only_in_csv: bool = False  # the page shows it within another column, or not at all
    on_page_only: bool = False  # the file has it in columns of its own

    @property
    def numeric(self) -> bool:
        return self.kind in NUMERIC

    @property
    def may_be_empty(self) -> bool:
        """Whether a row without a value has nothing to say here: cards leave it out."""
        return self.kind in SAID_WHERE_THERE_IS_SOMETHING


@dataclass(frozen=True)
class Choice:
    """A filter beside the search: `options` maps the query's word to what is shown; None where any `accepts`ed text will do."""

    name: str
    label: str
    options: Mapping[str, str] | None
    narrow: Narrow
    accepts: Callable[[str], bool] = bool


@dataclass(frozen=True)
class TableSpec:
    """What a table is: its columns, how a search text narrows it, and its filters."""

    name: str
    title: str
    columns: Sequence[Column]
    search: Narrow | None = None
    search_label: str = ""
    choices: Sequence[Choice] = ()
    empty: str = "Nothing here yet."
    row_action: str = ""
    arrange: Callable[[Any], Any] | None = None  # the order of a query set that nobody sorted
    glance: Sequence[str] = ()  # the columns that a short look shows

    @property
    def in_file(self) -> list[Column]:
        """The columns of the CSV."""
        return [column for column in self.columns if not column.on_page_only]

    @property
    def shown(self) -> list[Column]:
        """The columns of the page."""
        return [column for column in self.columns if not column.only_in_csv]

    def at_a_glance(self) -> "TableSpec":
        """The same table with the columns of a short look."""
        return replace(self, columns=[column for column in self.columns if column.name in self.glance])


@dataclass
class Table:
    """One page of a table, ready for its template."""

    spec: TableSpec
    rows: list[Any]
    page: int
    has_next: bool
    sort: str
    query: str
    chosen: Mapping[str, str]
    keep: Mapping[str, str] = field(default_factory=dict)
    total: int | None = None  # of all rows, where it is known without counting

    def link(self, **changes: Any) -> str:
        """The page's query with some of it changed; empty values are left out."""
        state = {**self.keep, "q": self.query, **self.chosen, "sort": self.sort, "page": self.page, **changes}
        return "?" + urlencode({name: value for name, value in state.items() if value and (name, value) != ("page", 1)})

    @property
    def heads(self) -> list[dict[str, Any]]:
        """Column heads with the link that sorts by them."""
        return [
            {
                "column": column,
                "direction": self._direction(column),
                "link": self.link(sort=self._following(column), page=1) if column.order_by else "",
            }
            for column in self.spec.shown
        ]

    @property
    def cells(self) -> list[tuple[Any, list[tuple[Column, Any]]]]:
        """Each row with its columns and values."""
        return [(row, [(column, column.value(row)) for column in self.spec.shown]) for row in self.rows]

    @property
    def previous_link(self) -> str:
        return self.link(page=self.page - 1)

    @property
    def next_link(self) -> str:
        return self.link(page=self.page + 1)

    @property
    def narrowed(self) -> bool:
        """Whether a search or filter hides rows."""
        return bool(self.query or any(self.chosen.values()))

    def _direction(self, column: Column) -> str:
        return {column.name: "ascending", f"-{column.name}": "descending"}.get(self.sort, "none")

    def _following(self, column: Column) -> str:
        """Largest or latest first, then the other way, then as it was."""
        return {f"-{column.name}": column.name, column.name: ""}.get(self.sort, f"-{column.name}")


@state_of.register
def _(spec: TableSpec) -> object:
    return spec.name


def read_table(
    spec: TableSpec, rows: Rows, query: Mapping[str, str], *, keep: Mapping[str, str], rows_per_page: int = PAGE_ROWS
) -> Table:
    """The page of the table that the query asks for; what cannot be read counts as not asked."""
    rows, sort = select(spec, rows, query)
    if spec.arrange and not sort:
        rows = spec.arrange(rows)
    page = min(page_number(query.get("page", "")), MAX_PAGE)
    start = (page - 1) * rows_per_page
    found = list(rows[start : start + rows_per_page + 1])
    return Table(
        spec=spec,
        rows=found[:rows_per_page],
        page=page,
        has_next=len(found) > rows_per_page,
        sort=sort,
        query=_text(query),
        chosen={choice.name: _chosen(choice, query) for choice in spec.choices},
        keep=keep,
        total=len(rows) if isinstance(rows, list) else None,
    )


def page_number(text: str) -> int:
    """The page that a query names; the first where it names none."""
    return max(1, int(text[:MAX_PAGE_DIGITS])) if text.isascii() and text.isdigit() else 1


def select(spec: TableSpec, rows: Rows, query: Mapping[str, str]) -> tuple[Rows, str]:
    """The rows that the query asks for in its order, and the sort that was understood."""
    text = _text(query)
    if text and spec.search:
        rows = spec.search(rows, text)
    for choice in spec.choices:
        word = _chosen(choice, query)
        if word:
            rows = choice.narrow(rows, word)
    sort = query.get("sort", "")
    column = next((column for column in spec.columns if column.name == sort.removeprefix("-")), None)
    if column is None or not column.order_by:
        return rows, ""
    descending = sort.startswith("-")
    if isinstance(rows, list):
        return sorted(rows, key=column.value, reverse=descending), sort
    return rows.order_by(f"-{column.order_by}" if descending else column.order_by, "-pk"), sort


def _text(query: Mapping[str, str]) -> str:
    return query.get("q", "").replace("\x00", "").strip()


def _chosen(choice: Choice, query: Mapping[str, str]) -> str:
    word = query.get(choice.name, "").strip()
    known = choice.accepts(word) if choice.options is None else word in choice.options
    return word if known else ""


def lines_of(spec: TableSpec, rows: Rows) -> Iterator[list[Any]]:
    """The values of every row, for a file; prices with all their decimals."""
    for row in each(rows) if isinstance(rows, QuerySet) else rows:
        yield [_exact(column.value(row), column.kind) for column in spec.in_file]


def _exact(value: Any, kind: str) -> Any:
    return round(value, PRICE_DECIMALS) if kind in PRICES and isinstance(value, Decimal) else value
