"""The recorded market's reader: format, order, bad rows, streaming."""

import csv
import gzip
import resource
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path

import pytest
from django.core.management import call_command
from structlog.testing import capture_logs

from marketdata.feeds.recorded import TOLD_KEY, RecordedCursor, RecordedFeed
from marketdata.feeds.recording_rows import COLUMNS, COLUMNS_TAKEN, MAX_DETAILS, RecordingError, Report
from marketdata.quotes import Quote
from papertrade.lib.valkey import client

NOTHING: tuple[str, ...] = ()
GOOD = "2013-10-07T14:00:00.000Z,IBM,183.10,183.20,200,100,test"


def write(path: Path, *lines: str, header: str = ",".join(COLUMNS)) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        file.write("\n".join([header, *lines]) + "\n")
    return path


def read(place: Path) -> tuple[list, Report]:
    report = Report()
    return list(RecordedFeed(place).rows(report)), report


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2013-10-07T{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["quotes.csv", "quotes.csv.gz"])
def test_plain_and_gzip(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, GOOD)
    (row,), report = read(tmp_path)
    assert row[:4] == (at("14:00:00"), "IBM", Decimal("183.10"), Decimal("183.20"))
    assert (report.good, report.bad) == (1, 0)


def test_files_are_merged_by_time_and_ties_keep_file_then_line_order(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", GOOD.replace("IBM", "B"), GOOD.replace("IBM", "BB"))
    write(tmp_path / "a.csv.gz", GOOD.replace("IBM", "A"), "2013-10-07T14:00:01Z,LATER,1,2,1,1,test")
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper" / "c.csv", "2013-10-07T13:59:59.999999Z,FIRST,1,2,1,1,test")
    assert [row.symbol for row in read(tmp_path)[0]] == ["FIRST", "A", "B", "BB", "LATER"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2013-10-07T14:00:00Z,IBM,1,2,3,4", "columns"),
        ("yesterday,IBM,1,2,3,4,x", "ISO 8601"),
        ("2013-10-07T14:00:00,IBM,1,2,3,4,x", "UTC"),
        ("2013-10-07T14:00:00+02:00,IBM,1,2,3,4,x", "UTC"),
        ("2013-10-07T14:00:00Z,ibm,1,2,3,4,x", "symbol"),
        ("2013-10-07T14:00:00Z,IBM,0,2,3,4,x", "not above 0"),
        ("2013-10-07T14:00:00Z,IBM,-1,2,3,4,x", "not above 0"),
        ("2013-10-07T14:00:00Z,IBM,NaN,2,3,4,x", "plain decimal"),
        ("2013-10-07T14:00:00Z,IBM,1e400,2,3,4,x", "plain decimal"),
        ("2013-10-07T14:00:00Z,IBM,1_0,2,3,4,x", "plain decimal"),
        ("2013-10-07T14:00:00Z,IBM, 1,2,3,4,x", "plain decimal"),
        ("2013-10-07T14:00:00Z,IBM,１,2,3,4,x", "plain decimal"),
        ("2013-10-07T14:00:00Z,IBM,1000000000,2,3,4,x", "too large"),
        ("2013-10-07T14:00:00.123456789Z,IBM,1,2,3,4,x", "microseconds"),
        ("2013-10-07 14:00:00Z,IBM,1,2,3,4,x", "ISO 8601"),
        ("2013-02-30T14:00:00Z,IBM,1,2,3,4,x", "not a time that exists"),
        ('2013-10-07T14:00:00Z,"IBM,1,2,3,4,x', "quoted in a way"),
        ("2013-10-07T14:00:00Z,IBM,1,2,3,4,a\0b", "source"),
        ("2013-10-07T14:00:00Z,IBM,1,2,3,4,x,y", "columns"),
        ("2013-10-07T14:00:00Z,IBM,1.1234567,2,3,4,x", "6 decimals"),
        ("2013-10-07T14:00:00Z,IBM,1,2,-3,4,x", "negative"),
        ("2013-10-07T13:00:00Z,IBM,1,2,3,4,x", "earlier than the row before"),
        ("", "columns"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_never_used(tmp_path: Path, line: str, problem: str) -> None:
    write(tmp_path / "q.csv", GOOD, line, GOOD.replace("14:00:00", "14:00:02"))
    rows, report = read(tmp_path)
    assert (len(rows), report.good, report.bad) == (2, 2, 1)
    assert report.details[0][:2] == ("q.csv", 3)
    assert problem in report.details[0][2]


def test_an_absent_side_and_a_feed_without_sizes(tmp_path: Path) -> None:
    write(tmp_path / "q.csv", "2013-10-07T14:00:00Z,IBM,,183.20,0,100,x", "2013-10-07T14:00:01Z,IBM,183.10,183.20,,,x")
    one_sided, no_sizes = read(tmp_path)[0]
    assert (one_sided.bid, one_sided.bid_size) == (None, Decimal(0))
    assert (no_sizes.bid_size, no_sizes.ask_size) == (None, None)


def test_another_header_and_a_broken_archive_stop_only_their_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", GOOD, header="time,symbol,bid")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((",".join(COLUMNS) + "\n" + GOOD + "\n").encode())[:-12])
    (tmp_path / "c.csv.gz").write_bytes(b"no archive at all")
    write(tmp_path / "d.csv", GOOD)
    rows, report = read(tmp_path)
    assert rows and {name for name, _, _ in report.details} == {"a.csv", "b.csv.gz", "c.csv.gz"}


def test_text_that_is_not_utf_8_spoils_only_its_row(tmp_path: Path) -> None:
    good = f"{GOOD}\n".encode()
    (tmp_path / "q.csv").write_bytes(f"{','.join(COLUMNS)}\n".encode() + good + good.replace(b"IBM", b"I\xffM") + good)
    rows, report = read(tmp_path)
    assert (len(rows), report.bad) == (2, 1)


def test_a_spreadsheets_byte_order_mark_and_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_bytes(f"\ufeff{','.join(COLUMNS)}\r\n{GOOD}\r\n".encode())
    rows, report = read(tmp_path)
    assert (len(rows), report.bad) == (1, 0)


def test_bad_rows_are_all_counted_and_only_the_first_are_kept_word_for_word(tmp_path: Path) -> None:
    write(tmp_path / "q.csv", *["nonsense"] * (MAX_DETAILS + 5), GOOD)
    rows, report = read(tmp_path)
    assert (len(rows), report.bad, len(report.details)) == (1, MAX_DETAILS + 5, MAX_DETAILS)


class TestManyFiles:
    DAYS = 40

    @pytest.fixture
    def few_files_may_be_open(self) -> Iterator[None]:
        """As many as this process has open, and ten more."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open("/dev/null") as lowest_free:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free.fileno() + 10, hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_a_file_is_open_only_while_its_rows_are_due(self, tmp_path: Path, few_files_may_be_open: None) -> None:
        stamps = [datetime(2013, 1, 1, 15, tzinfo=UTC) + timedelta(days=day) for day in range(self.DAYS)]
        for number, stamp in enumerate(stamps):
            name = f"{self.DAYS - number:03d}.csv"  # names in the opposite order of time
            write(tmp_path / name, GOOD.replace("2013-10-07T14:00:00.000Z", f"{stamp:%Y-%m-%dT%H:%M:%SZ}"))
        rows, report = read(tmp_path)
        assert ([row.at for row in rows], report.bad) == (stamps, 0)

    def test_more_than_can_be_open_at_once_is_an_error_and_not_a_silent_loss(
        self, tmp_path: Path, few_files_may_be_open: None
    ) -> None:
        for number in range(self.DAYS):
            write(tmp_path / f"{number}.csv", GOOD, GOOD.replace("14:00", "15:00"))
        with pytest.raises(RecordingError, match="ulimit"):
            read(tmp_path)


def test_nothing_to_read_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=str(tmp_path)):
        RecordedFeed(tmp_path)


def quotes_of(cursor: RecordedCursor) -> list[Quote]:
    """What is left of it."""
    return [quote for together in cursor.until(at("14:00:09"), NOTHING) for quote in together]


class TestCursor:
    @pytest.fixture
    def feed(self, tmp_path: Path) -> RecordedFeed:
        lines = [
            f"2013-10-07T14:00:0{second}Z,IBM,100,10{number},1,1,x" for second in range(3) for number in range(1, 4)
        ]
        write(tmp_path / "q.csv", *lines)
        return RecordedFeed(tmp_path)

    def test_the_quotes_of_one_instant_come_together(self, feed: RecordedFeed) -> None:
        together = list(feed.cursor().until(at("14:00:09"), NOTHING))
        assert [[quote.quoted_at.second for quote in quotes] for quotes in together] == [[0] * 3, [1] * 3, [2] * 3]

    @pytest.mark.parametrize(
        ("through", "whole", "left"), [("14:00:00", True, 6), ("14:00:01", True, 3), ("14:00:01", False, 6)]
    )
    def test_it_goes_on_where_it_was_put(self, feed: RecordedFeed, through: str, whole: bool, left: int) -> None:
        cursor = feed.cursor()
        cursor.seek(at(through), whole=whole)
        assert quotes_of(cursor) == quotes_of(feed.cursor())[-left:]

    def test_one_step_or_many_give_the_same_quotes(self, feed: RecordedFeed) -> None:
        cursor, stepped = feed.cursor(), []
        for second in range(4):
            stepped += chain.from_iterable(cursor.until(at(f"14:00:0{second}"), NOTHING))
            cursor.seek(at(f"14:00:0{second}"), whole=True)
        assert stepped == quotes_of(feed.cursor())

    def test_a_step_back_reads_again(self, feed: RecordedFeed) -> None:
        cursor = feed.cursor()
        cursor.seek(at("14:00:02"), whole=True)
        cursor.seek(at("14:00:00"), whole=False)
        assert len(quotes_of(cursor)) == 9

    def test_a_price_keeps_since_when_it_stands(self, feed: RecordedFeed) -> None:
        quotes = quotes_of(feed.cursor())[:6]
        assert {quote.bid_since for quote in quotes} == {at("14:00:00")}
        assert [quote.ask_since for quote in quotes[:4]] == [at("14:00:00")] * 3 + [at("14:00:01")]


def test_a_long_day_streams_in_flat_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "long.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(
            [f"2013-10-07T14:{n // 6000:02d}:{n // 100 % 60:02d}.{n % 100:02d}0Z", "IBM", "1", "2", n % 900, 1, "x"]
            for n in range(200_000)
        )
    rows_ = RecordedFeed(tmp_path).rows(Report())
    next(rows_)
    tracemalloc.start()
    try:
        assert sum(1 for _ in rows_) == 199_999
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


class TestQuotedFields:
    def test_are_read(self, tmp_path: Path) -> None:
        """As spreadsheets and `csv.QUOTE_ALL` write them, the header too."""
        path = tmp_path / "quotes.csv"
        with open(path, "w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([COLUMNS, GOOD.split(",")])
        write(tmp_path / "plain.csv", GOOD)
        quoted, plain = read(tmp_path)[0]
        assert quoted == plain

    def test_a_comma_within_quotation_marks_parts_nothing(self, tmp_path: Path) -> None:
        write(tmp_path / "quotes.csv", GOOD.replace(",test", ',"my feed, tested"'))
        assert read(tmp_path)[0][0].source == "my feed, tested"

    @pytest.mark.parametrize("bad", ['2013-10-07T14:00:00Z,IBM,1,2,3,4,"x', '"2013-10-07T14:00:00Z,IBM",1,2,3,4,x'])
    def test_a_stray_mark_spoils_one_row(self, tmp_path: Path, bad: str) -> None:
        write(tmp_path / "quotes.csv", GOOD, bad, GOOD.replace("14:00:00.000Z", "14:00:01Z"))
        rows, report = read(tmp_path)
        assert (len(rows), report.bad) == (2, 1)

    def test_a_stray_mark_in_the_header_refuses_the_file(self, tmp_path: Path) -> None:
        write(tmp_path / "quotes.csv", GOOD, header='"' + ",".join(COLUMNS))
        assert read(tmp_path)[0] == []

    def test_those_of_one_symbol_are_found(self, tmp_path: Path) -> None:
        write(tmp_path / "quotes.csv", GOOD.replace("IBM", '"IBM"'), GOOD.replace("IBM", '"AIG"'), GOOD)
        assert [row.symbol for row in RecordedFeed(tmp_path).rows(Report(), symbol="IBM")] == ["IBM", "IBM"]


def test_a_refused_row_is_logged_once(tmp_path: Path) -> None:
    """The files are read again and again: by each process, and whenever one goes back."""
    client().delete(TOLD_KEY)
    write(tmp_path / "quotes.csv", GOOD, "nonsense", "more nonsense")
    with capture_logs() as logs:
        for _ in range(3):  # three processes
            cursor = RecordedFeed(tmp_path).cursor()
            for _ in range(2):
                cursor.seek(at("15:00:00"), whole=True)
                cursor.seek(at("13:00:00"), whole=True)
    assert [(line["event"], line["line"]) for line in logs] == [
        ("recording_row_refused", 3),
        ("recording_row_refused", 4),
    ]


def test_rows_of_a_live_market_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "invented.csv", GOOD)
    call_command("check_recording", str(tmp_path))
    assert "taken_at" not in capsys.readouterr().out
    taken = [f"{GOOD},2013-10-07T14:00:00.2Z", f"{GOOD},2013-10-07T14:00:00.250Z", f"{GOOD},2013-10-07T14:00:00.450Z"]
    write(tmp_path / "live.csv", *taken, header=",".join(COLUMNS_TAKEN))
    call_command("check_recording", str(tmp_path))
    assert capsys.readouterr().out.splitlines() == [
        "2 files, 3 good rows of 1 symbol, 2013-10-07 14:00:00+00:00 to 2013-10-07 14:00:00.450000+00:00",
        "2 rows of a live market, with taken_at; 1 without",
        "live.csv:2: taken_at is not ISO 8601 in UTC with a Z, of seconds, milliseconds or microseconds",
        "1 bad row",
    ]
