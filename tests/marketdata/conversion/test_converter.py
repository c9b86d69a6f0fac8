"""Other people's quote files into recordings: each provider's columns, what is refused with its reason, order, sizes."""

import gzip
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from marketdata.conversion.converter import convert
from marketdata.conversion.formats import Unusable
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report

# As the providers write them: header and rows of their own documentation's shape, with invented figures.
ALPACA_CSV = """symbol,timestamp,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,tape
IBM,2026-11-20 14:30:00.123456+00:00,Q,183.2,300.0,N,183.1,200.0,"['R', 'X']",A
AAPL261218C00230000,2026-11-20 09:30:01-05:00,C,4.2,10,C,0,0,B,
"""
ALPACA_JSON = {
    "quotes": {
        "IBM": [
            {
                "t": "2026-11-20T14:30:00.123456789Z",
                "ax": "Q",
                "ap": 183.2,
                "as": 300,
                "bx": "N",
                "bp": 183.1,
                "bs": 200,
            }
        ],
        "AAPL261218C00230000": [{"t": "2026-11-20T14:30:01Z", "ap": 4.2, "as": 10, "bp": 0, "bs": 0}],
    },
    "next_page_token": None,
}
MASSIVE = """ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,indicators,participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp
O:AAPL261218C00230000,300,4.2,10,0,0,0,,,1,2,1795185001000000000,,
IBM,11,183.2,300,12,183.1,200,"1,94",,1795185000123000000,7,1795185000123456789,1,0
"""
DATABENTO_PRETTY = """ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol
2026-11-20T14:30:00.123456789Z,2026-11-20T14:30:00.120000000Z,1,2,3,A,B,0,183.100000000,5,130,1,9,183.100000000,183.200000000,200,300,1,1,IBM
2026-11-20T14:30:01.000000000Z,2026-11-20T14:30:01.000000000Z,1,2,3,A,B,0,,5,130,1,9,,4.200000000,0,10,0,1,AAPL  261218C00230000
"""
DATABENTO_RAW = """ts_recv,ts_event,rtype,publisher_id,instrument_id,side,price,size,flags,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol
1795185000123456789,1795185000120000000,195,2,3,N,183100000000,5,130,9,183100000000,183200000000,200,300,1,1,IBM
1795185001000000000,1795185001000000000,195,2,3,N,183100000000,5,130,9,9223372036854775807,4200000000,0,10,0,1,AAPL  261218C00230000
"""
SAME = [
    "2026-11-20T14:30:00.123456Z,IBM,183.1,183.2,200,300",
    "2026-11-20T14:30:01.000000Z,O:AAPL261218C00230000,,4.2,0,10",
]


def lines(path: Path) -> list[str]:
    """What was written, without the header and the source."""
    with gzip.open(path, "rt") as file:
        return [line.rstrip("\n").rpartition(",")[0] for line in file][1:]


def converted(folder: Path, text: str, name: str = "quotes.csv", **options: object) -> list[str]:
    (folder / name).write_text(text)
    convert([folder / name], folder / "day.csv.gz", **options)
    return lines(folder / "day.csv.gz")


@pytest.mark.parametrize(
    "text",
    [ALPACA_CSV, json.dumps(ALPACA_JSON), MASSIVE, DATABENTO_PRETTY, DATABENTO_RAW],
    ids=["alpaca csv", "alpaca json", "massive", "databento", "databento raw"],
)
def test_every_format_becomes_the_same_recording(tmp_path: Path, text: str) -> None:
    assert converted(tmp_path, text) == SAME
    report = Report()
    assert [row.symbol for row in RecordedFeed(tmp_path / "day.csv.gz").rows(report)] == [
        "IBM",
        "O:AAPL261218C00230000",
    ]
    assert report.bad == 0


def test_the_answer_of_one_symbol_and_pages_a_line_are_read_too(tmp_path: Path) -> None:
    quotes = ALPACA_JSON["quotes"]
    pages = [{"symbol": name, "quotes": listed} for name, listed in quotes.items()] + [{"symbol": "X", "quotes": None}]
    assert converted(tmp_path, "\n".join(map(json.dumps, pages)), "pages.jsonl") == SAME


def test_gzip_is_read_and_a_mark_of_byte_order_skipped(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "quotes.csv.gz", "wt", encoding="utf-8-sig") as file:
        file.write(MASSIVE)
    convert([tmp_path / "quotes.csv.gz"], tmp_path / "day.csv.gz")
    assert lines(tmp_path / "day.csv.gz") == SAME


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("timestamp,open,high,low,close,volume\n", "bars .* invented"),
        ("ticker,volume,open,close,high,low,window_start,transactions\n", "bars"),
        ('{"bars": {"IBM": []}}', "bars"),
        ("ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n", "bars"),
        ("ticker,conditions,price,sip_timestamp,size\n", "trades and no quotes"),
        ('{"trades": {"IBM": []}}', "trades and no quotes"),
        ("ts_recv,instrument_id,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00\n", "map_symbols=True"),
        ('{"message": "forbidden."}', "no `quotes`"),
        ("{nonsense", "not JSON"),
        ("[1]", "no `quotes`"),
        ("a,b,c\n", "no known file of quotes"),
        ("", "no known file of quotes"),
    ],
)
def test_what_has_no_quotes_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=f"quotes.csv: .*{reason}"):
        converted(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["quotes.csv"], "nothing is left behind"


def test_zstandard_says_how_to_open_it(tmp_path: Path) -> None:
    (tmp_path / "day.dbn.zst").write_bytes(b"\x28\xb5\x2f\xfd rest")
    with pytest.raises(Unusable, match="unzstd"):
        convert([tmp_path / "day.dbn.zst"], tmp_path / "day.csv.gz")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("1795185000123456789", "yesterday", "not a time"),
        ("1795185000123456789", "0001-01-01T00:00:00+05:00", "not a time"),
        ("183.2", "1e400", "too large"),
        ("183.2", "183.12345678", "more than 6 decimals"),
        ("183.2", "dear", "not a number"),
        (",300,", ",-300,", "negative size"),
        ("IBM", "ibm", "symbol 'ibm'"),
    ],
)
def test_a_line_that_is_no_quote_is_counted_and_left_out(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (tmp_path / "q.csv").write_text(MASSIVE.replace(old, new))
    outcome = convert([tmp_path / "q.csv"], tmp_path / "day.csv.gz")
    assert (outcome.rows, outcome.bad) == (1, 1)
    assert outcome.details[0][:2] == ("q.csv", 3) and problem in outcome.details[0][2]
    assert lines(tmp_path / "day.csv.gz") == SAME[1:]


def test_files_sorted_by_ticker_come_out_by_time_and_one_instant_keeps_its_order(tmp_path: Path) -> None:
    header, instant = MASSIVE.splitlines()[0], 1795185000000000000
    rows = [
        f"{name},1,{price}.2,3,1,{price}.1,2,,,1,1,{instant + second * 10**9},1,0"
        for name in ("AAA", "BBB", "CCC")
        for second, price in ((0, 10), (0, 11), (5, 12), (9, 13))
    ]
    (tmp_path / "q.csv").write_text("\n".join([header, *rows]))
    convert([tmp_path / "q.csv"], tmp_path / "day.csv.gz", piece_rows=5)
    found = [
        (line.split(",")[0][17:19], line.split(",")[1], line.split(",")[2]) for line in lines(tmp_path / "day.csv.gz")
    ]
    assert found == [("00", name, price) for name in ("AAA", "BBB", "CCC") for price in ("10.1", "11.1")] + [
        (second, name, price) for second, price in (("05", "12.1"), ("09", "13.1")) for name in ("AAA", "BBB", "CCC")
    ]


def test_only_wanted_symbols(tmp_path: Path) -> None:
    assert converted(tmp_path, MASSIVE, symbols={"IBM"}) == SAME[:1]


@pytest.mark.parametrize(
    ("day", "lots", "sizes"),
    [("2026-11-20", True, "200,300"), ("2025-10-31", True, "20000,30000"), ("2025-10-31", False, "200,300")],
)
def test_round_lots_become_shares_only_when_asked_for(tmp_path: Path, day: str, lots: bool, sizes: str) -> None:
    stock, option = converted(tmp_path, ALPACA_CSV.replace("2026-11-20", day), lots=lots)
    assert stock.endswith(sizes) and option.endswith(",0,10"), "contracts never were lots"


def test_the_command_reports_and_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.csv").write_text(MASSIVE)
    to = tmp_path / "day.csv.gz"
    call_command("convert", tmp_path / "q.csv", to=to, symbols="IBM")
    said = capsys.readouterr().out
    assert "1 quotes of 1 symbols" in said and f"papertrade run --var var-day --recording {to}" in said
    with pytest.raises(CommandError, match="exists"):
        call_command("convert", tmp_path / "q.csv", to=to)
    with pytest.raises(CommandError, match=r"must end in \.csv\.gz"):
        call_command("convert", tmp_path / "q.csv", to=tmp_path / "day.csv")
    with pytest.raises(CommandError, match="No quote was found"):
        call_command("convert", tmp_path / "q.csv", to=tmp_path / "none.csv.gz", symbols="XYZ")
    assert not (tmp_path / "none.csv.gz").exists()
