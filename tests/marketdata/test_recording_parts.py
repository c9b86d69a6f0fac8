"""Which rows of which file of a live recording count, by the files' names alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from marketdata.feeds.recording_parts import name_of_part, newest_number, parts_among, parts_of

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("files", "counting"),  # (number of the leader, begins), (..., ends)
    [
        ([], []),
        ([(1, 0)], [(1, 0, None)]),
        ([(1, 0), (1, 10), (1, 20)], [(1, 0, 10), (1, 10, 20), (1, 20, None)]),
        ([(1, 0), (2, 7)], [(1, 0, 7), (2, 7, None)]),
        ([(1, 0), (2, 7), (2, 17)], [(1, 0, 7), (2, 7, 17), (2, 17, None)]),
        # The first leader goes on in another file after the second has begun: it is void.
        ([(1, 0), (1, 10), (2, 7)], [(1, 0, 7), (2, 7, None)]),
        ([(1, 0), (1, 10), (2, 7), (2, 17), (1, 20)], [(1, 0, 7), (2, 7, 17), (2, 17, None)]),
        # The second died before it had done anything: the third begins where it did.
        ([(1, 0), (2, 7), (3, 7)], [(1, 0, 7), (3, 7, None)]),
        # The books were restored from a backup of minute 5, and what came after it is done again.
        ([(1, 0), (1, 10), (2, 17), (3, 5)], [(1, 0, 5), (3, 5, None)]),
    ],
)
def test_of_each_instant_one_file_counts(
    files: list[tuple[int, int]], counting: list[tuple[int, int, int | None]]
) -> None:
    names = [Path(name_of_part(minute(begins), number)) for number, begins in files]
    assert [(part.number, part.begins, part.ends) for part in parts_among(names)] == [
        (number, minute(begins), None if ends is None else minute(ends)) for number, begins, ends in counting
    ]


@pytest.mark.parametrize(
    "name", ["live.csv.gz", "live-20261120-143000000000.csv.gz", "live-20261399-143000000000-0000000001.csv.gz"]
)
def test_other_files_are_none_of_it(name: str) -> None:
    assert parts_among([Path(name)]) == []


def test_a_file_that_comes_is_seen_at_once(tmp_path: Path) -> None:
    assert parts_of(tmp_path / "none") == [] and newest_number(tmp_path / "none") == 0
    for number in range(1, 4):
        (tmp_path / name_of_part(minute(number), number)).touch()
        assert len(parts_of(tmp_path)) == newest_number(tmp_path) == number
