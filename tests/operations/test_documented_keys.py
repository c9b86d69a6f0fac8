"""What docs/operations.md says of sharding by account, beside the tables: no table is forgotten, and no key."""

import re
from pathlib import Path

from django.db import connection

from tests.proof.tampering import tables

SECTION = (
    (Path(__file__).resolve().parents[2] / "docs" / "operations.md")
    .read_text()
    .split("### Sharding by account")[1]
    .split("What crosses shards today")[0]
)
DISTRIBUTED = {
    table: (column, bool(more), set(re.findall(r"`(\w+)`", keys)))
    for table, column, more, keys in re.findall(
        r"^\| `(\w+)` \| `(\w+)`(, to be added)? \| (.*?)\|$", SECTION, re.MULTILINE
    )
}
WHOLE = set(
    re.findall(
        r"`((?:accounts|marketdata|portfolio|orders)_\w+)`", SECTION.split("On every node whole")[1].split("\n\n")[0]
    )
)


def columns_of_keys(table: str) -> dict[str, set[str]]:
    """The columns of each unique key of a table."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    return {name: set(key["columns"]) for name, key in constraints.items() if key["unique"]}


def test_each_table_stands_on_one_side() -> None:
    assert DISTRIBUTED.keys() | WHOLE == tables().keys()
    assert not DISTRIBUTED.keys() & WHOLE


def test_the_column_is_there_or_is_said_to_be_missing(db: None) -> None:
    for table, (column, to_be_added, _) in DISTRIBUTED.items():
        there = column in {field.column for field in tables()[table]._meta.concrete_fields}
        assert there != to_be_added, table


def test_the_keys_without_it_are_named(db: None) -> None:
    for table, (column, _, named) in DISTRIBUTED.items():
        assert {name for name, columns in columns_of_keys(table).items() if column not in columns} == named, table
