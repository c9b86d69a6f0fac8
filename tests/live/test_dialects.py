"""What providers write, and what we read in it: tables, and random bytes that must never be more than unreadable.

Examples of the wire are in the words of each provider's documentation; see docs/live.md for what was tried against whom.
"""

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marketdata.feeds.live import alpaca, cutemarkets, massive, massive_dialect, reading, tradier
from marketdata.feeds.live.dialect import Control, Market, Said
from marketdata.feeds.live.protocol import ProviderOptions, RawQuote
from marketdata.feeds.live.reading import Unreadable
from marketdata.feeds.live.recorder import row_text
from marketdata.feeds.recording_rows import read_row
from marketdata.instruments import OptionRight, option_symbol

AT = datetime(2026, 11, 25, 15, 30, 0, 123456, tzinfo=UTC)
OPTION = "O:AAPL261218C00200000"
KEYS = ProviderOptions(key="the-key", secret="the-secret")
SECONDS, NANOSECONDS = 1_795_620_600, 1_795_620_600_123_456_789


def options(**given: Any) -> ProviderOptions:
    return ProviderOptions(**{"key": "the-key", "secret": "the-secret", **given})


def of_alpaca(feed: str) -> Market:
    delay = reading.timedelta(seconds=910) if feed == "delayed_sip" else reading.timedelta(0)
    return alpaca.markets(options(feeds=(feed,), delay=delay))[0]


STOCKS, OPTIONS = of_alpaca("iex"), of_alpaca("indicative")
MASSIVE = {market.name: market for market in massive.markets(ProviderOptions(key="the-key"))}
CUTE = {market.name: market for market in cutemarkets.markets(ProviderOptions(key="the-key"))}
TRADIER = tradier.markets(ProviderOptions(key="the-key", delay=reading.timedelta(seconds=910)))[0]
EVERY_STREAM = [STOCKS, OPTIONS, MASSIVE["stocks"]]
EVERY_MARKET = [STOCKS, OPTIONS, *MASSIVE.values(), *CUTE.values(), TRADIER]


def stamp(nanoseconds: int = NANOSECONDS) -> msgpack.Timestamp:
    return msgpack.Timestamp.from_unix_nano(nanoseconds)


def stock_quote(**other: Any) -> dict[str, Any]:
    return {
        "T": "q", "S": "AAPL", "bx": "V", "bp": 183.5, "bs": 200, "ax": "V", "ap": 183.52, "as": 300, "c": ["R"], "z": "C",
        "t": "2026-11-25T15:30:00.123456789Z", **other,
    }  # fmt: skip


def massive_quote(**other: Any) -> dict[str, Any]:
    return {
        "ev": "Q", "sym": "AAPL", "bx": 4, "bp": 183.5, "bs": 200, "ax": 7, "ap": 183.52, "as": 300, "c": 0, "i": [604],
        "t": SECONDS * 1000 + 123, "q": 50385480, "z": 3, **other,
    }  # fmt: skip


def heard(market: Market, *messages: Any) -> list[Any]:
    packed = market is OPTIONS
    frame = msgpack.packb(list(messages)) if packed else json.dumps(list(messages))
    assert market.stream is not None
    return list(market.stream.read(frame))


def test_alpaca_stock_quote() -> None:
    assert heard(STOCKS, stock_quote()) == [
        RawQuote("AAPL", Decimal("183.5"), Decimal("183.52"), Decimal(200), Decimal(300), AT, "alpaca:iex")
    ]


def test_alpaca_option_quote_in_messagepack() -> None:
    message = {
        "T": "q",
        "S": "AAPL261218C00200000",
        "bx": "N",
        "bp": 183.505,
        "bs": 12,
        "ax": "C",
        "ap": 1.1,
        "as": 7,
        "c": "A",
        "t": stamp(),
    }
    assert heard(OPTIONS, message) == [
        RawQuote(OPTION, Decimal("183.505"), Decimal("1.1"), Decimal(12), Decimal(7), AT, "alpaca:indicative")
    ]


@pytest.mark.parametrize("provider", [MASSIVE, CUTE])
def test_massive_quote(provider: dict[str, Market]) -> None:
    at = AT.replace(microsecond=123000)
    market = provider["stocks"]
    assert heard(market, massive_quote()) == [
        RawQuote("AAPL", Decimal("183.5"), Decimal("183.52"), Decimal(200), Decimal(300), at, market.feed, 50385480)
    ]
    (found,) = heard(
        provider["options"],
        {"ev": "Q", "sym": OPTION, "bp": 9.1, "ap": 9.3, "bs": 4, "as": 5, "t": SECONDS * 1000, "q": 7},
    )
    assert (found.symbol, found.bid, found.ask_size, found.sequence) == (OPTION, Decimal("9.1"), Decimal(5), 7)


# (what the message says otherwise, what is read: (bid, ask, bid_size, ask_size), or the word of the fault)
QUOTES: list[tuple[dict[str, Any], Any]] = [
    ({}, ("183.5", "183.52", "200", "300")),
    ({"bp": 0}, (None, "183.52", "0", "300")),
    ({"bp": 0, "ap": 0}, (None, None, "0", "0")),
    ({"bp": -1}, (None, "183.52", "0", "300")),
    ({"bp": None}, (None, "183.52", "0", "300")),
    ({"bs": None}, ("183.5", "183.52", None, "300")),
    ({"bs": 0}, ("183.5", "183.52", "0", "300")),
    ({"bp": 184.1}, ("184.1", "183.52", "200", "300")),  # crossed: a guard's business
    ({"bp": 183.52}, ("183.52", "183.52", "200", "300")),  # locked: a quote like any
    ({"bs": 200.0}, ("183.5", "183.52", "200", "300")),
    ({"bs": -1}, "number"),
    ({"bs": 1.5}, "number"),
    ({"bp": 1e308}, "number"),
    ({"bp": 10**9}, "number"),
    ({"bp": 10**400}, "number"),
    ({"bp": 183.1234567}, "decimals"),
    ({"bp": 183.123456}, ("183.123456", "183.52", "200", "300")),
    ({"bp": 1e-7}, "decimals"),
    ({"bp": True}, "number"),
    ({"bp": "183.5"}, "number"),
    ({"bp": [183.5]}, "number"),
    ({"bs": {}}, "number"),
    ({"t": None}, "time"),
    ({"t": "soon"}, "time"),
    ({"t": True}, "time"),
    ({"t": 0}, "time"),
    ({"t": 10**40}, "time"),
]


@pytest.mark.parametrize(("other", "expected"), QUOTES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("market", [STOCKS, MASSIVE["stocks"]], ids=lambda market: market.feed)
def test_odd_quotes(market: Market, other: dict[str, Any], expected: Any) -> None:
    build = stock_quote if market is STOCKS else massive_quote
    (found,) = heard(market, build(**other))
    if isinstance(expected, str):
        assert isinstance(found, Unreadable) and found.word == expected
    else:
        numbers = tuple(None if value is None else Decimal(value) for value in expected)
        assert found[1:5] == numbers
        assert read_row(row_text(found).split(","))[2:6] == numbers, "and so it is recorded"


def test_zeros_at_the_end_are_no_decimals() -> None:
    frame = json.dumps([stock_quote()]).replace("183.5,", "183.50000000,").replace("300,", "300.00000000,")
    (found,) = STOCKS.stream.read(frame)
    assert read_row(row_text(found).split(","))[2:6] == (Decimal("183.5"), Decimal("183.52"), 200, 300)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_spoils_the_frame(number: str) -> None:
    with pytest.raises(Unreadable):
        list(STOCKS.stream.read(json.dumps([stock_quote()]).replace("183.5,", f"{number},")))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_in_messagepack(number: float) -> None:
    (found,) = heard(OPTIONS, {"T": "q", "S": "AAPL261218C00200000", "bp": number, "ap": 1.0, "t": stamp()})
    assert isinstance(found, Unreadable) and found.word == "number"


@pytest.mark.parametrize(
    "symbol", ["aapl", "", "TOOLONGS", "O:", "AAPL ", "ＡＡＰＬ", None, 7, [], "O:AAPL1261218C00200000X"]
)
def test_a_symbol_that_is_none(symbol: Any) -> None:
    for market, message in ((STOCKS, stock_quote(S=symbol)), (MASSIVE["stocks"], massive_quote(sym=symbol))):
        (found,) = heard(market, message)
        assert isinstance(found, Unreadable) and found.word == "symbol"


def test_a_bad_message_spoils_no_other_of_its_frame() -> None:
    found = heard(STOCKS, stock_quote(bp=1e308), stock_quote(S="IBM"), {"T": "?"}, stock_quote(S="BRK.B"))
    assert [type(item) for item in found] == [Unreadable, RawQuote, Unreadable, RawQuote]


# (message, what it says, symbols)
CONTROLS: list[tuple[Market, dict[str, Any], Said, tuple[str, ...]]] = [
    (STOCKS, {"T": "success", "msg": "connected"}, Said.HELLO, ()),
    (STOCKS, {"T": "success", "msg": "authenticated"}, Said.READY, ()),
    (STOCKS, {"T": "success", "msg": "something new"}, Said.NOTE, ()),
    (STOCKS, {"T": "subscription", "trades": [], "quotes": ["AAPL", "BRK.B"], "bars": []}, Said.SUBSCRIBED, ("AAPL", "BRK.B")),
    (STOCKS, {"T": "subscription", "quotes": None}, Said.SUBSCRIBED, ()),
    (OPTIONS, {"T": "subscription", "quotes": ["AAPL261218C00200000"]}, Said.SUBSCRIBED, (OPTION,)),
    *((STOCKS, {"T": "error", "code": code, "msg": "words"}, said, ()) for code, said in alpaca.ERRORS.items()),
    (STOCKS, {"T": "error", "code": 499, "msg": "new"}, Said.NOTE, ()),
    (STOCKS, {"T": "error", "code": [], "msg": "odd"}, Said.NOTE, ()),
    *((MASSIVE["stocks"], {"ev": "status", "status": word, "message": "words"}, said, ()) for word, said in massive_dialect.STATUS.items()),
    (MASSIVE["stocks"], {"ev": "status", "status": "success", "message": "subscribed to: Q.BRK.B"}, Said.SUBSCRIBED, ("BRK.B",)),
    (MASSIVE["options"], {"ev": "status", "status": "success", "message": f"subscribed to: Q.{OPTION}"}, Said.SUBSCRIBED, (OPTION,)),
    (MASSIVE["stocks"], {"ev": "status", "status": "error", "message": "not authorized"}, Said.REFUSED, ()),
    (MASSIVE["stocks"], {"ev": "status", "status": "error", "message": "maximum number of tickers"}, Said.LIMIT, ()),
    (CUTE["stocks"], {"error": {"code": "plan_upgrade_required", "message": "Expert needed"}}, Said.REFUSED, ()),
]  # fmt: skip


@pytest.mark.parametrize(("market", "message", "said", "symbols"), CONTROLS, ids=lambda value: str(value)[:60])
def test_controls(market: Market, message: dict[str, Any], said: Said, symbols: tuple[str, ...]) -> None:
    (found,) = heard(market, message)
    assert isinstance(found, Control)
    assert (found.said, found.symbols) == (said, symbols)


def test_other_channels_are_passed_over() -> None:
    assert heard(STOCKS, {"T": "t", "S": "AAPL", "p": 1}, {"T": "b", "S": "AAPL"}) == []


# One frame, and one message, is read by all of them: what takes time is to make it up.
@settings(max_examples=60)
@given(frame=st.binary(max_size=200) | st.text(max_size=200))
@example(frame="[" * 100_000)
@example(frame="1" * 5_000)
@example(frame=b"\xc1\xff")
@example(frame="[{")
@example(frame='[{"T":"q"},7]')
@example(frame='[{"T":[]},{"ev":{}}]')
@example(frame=b"\x81\x90\x01")
def test_any_bytes_are_read_or_unreadable(frame: str | bytes) -> None:
    for market in EVERY_STREAM:
        with suppress(Unreadable):
            for item in market.stream.read(frame):
                assert isinstance(item, RawQuote | Control | Unreadable), market.feed


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["q", "Q", "status", "error", "AAPL", "AAPL261218C00200000", "2026-11-25T15:30:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS_OF_MESSAGES = st.sampled_from(
    ["T", "S", "bp", "ap", "bs", "as", "t", "msg", "code", "quotes", "ev", "sym", "q", "status", "message", "error", "results",
     "ticker", "last_quote", "details", "next_url", "snapshots", "latestQuote", "next_page_token", "quote", "symbol", "bid",
     "bid_date", "unmatched_symbols", "expirations", "date", "options", "option", "p", "P", "last_updated"]
)  # fmt: skip


def nested(depth: int) -> Any:
    inner = VALUES if depth == 0 else VALUES | nested(depth - 1)
    return st.dictionaries(KEYS_OF_MESSAGES, inner | st.lists(inner, max_size=3), max_size=8)


@given(message=nested(1))
def test_any_message_is_read_or_unreadable(message: dict[str, Any]) -> None:
    for market in EVERY_MARKET:
        read_message(market, message)


def read_message(market: Market, message: dict[str, Any]) -> None:
    if market.stream is not None:
        frame = (
            msgpack.packb([message])
            if market is OPTIONS
            else json.dumps([message], allow_nan=False, default=str)
            if finite(message)
            else "[]"
        )
        for item in market.stream.read(frame):
            assert isinstance(item, RawQuote | Control | Unreadable), market.feed
    for read in (
        lambda: market.rest.read_latest(message, ["AAPL"]),
        lambda: market.chains and market.chains.read_chain(message, ""),
        lambda: market.chains and market.chains.read_chain(message, "2026-12-18"),
    ):
        with suppress(Unreadable):
            read()


def finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


TICKERS = st.from_regex(r"[A-Z]{1,5}(\.[A-Z]{1,2})?", fullmatch=True)
CONTRACTS = st.builds(
    option_symbol,
    st.from_regex(r"[A-Z]{1,5}", fullmatch=True),
    st.dates(date(2026, 1, 1), date(2035, 12, 31)),
    st.sampled_from(OptionRight),
    st.integers(1, 99_999_999).map(lambda strike: Decimal(strike) / 1000),
)


@given(symbol=TICKERS | CONTRACTS)
def test_symbols_there_and_back(symbol: str) -> None:
    assert tradier.ours(tradier.theirs(symbol)) == symbol
    if reading.is_option(symbol):
        assert reading.from_plain_occ(reading.to_plain_occ(symbol)) == symbol
        assert reading.to_plain_occ(symbol) == symbol[2:]


def test_symbols_as_they_are_written() -> None:
    assert tradier.theirs("BRK.B") == "BRK/B"
    assert tradier.theirs(OPTION) == "AAPL261218C00200000"
    subscribe = json.loads(STOCKS.stream.subscribe(["BRK.B"]))
    assert subscribe == {"action": "subscribe", "quotes": ["BRK.B"]}
    assert msgpack.unpackb(OPTIONS.stream.unsubscribe([OPTION])) == {
        "action": "unsubscribe",
        "quotes": ["AAPL261218C00200000"],
    }
    assert json.loads(MASSIVE["options"].stream.subscribe([OPTION, "IBM"])) == {
        "action": "subscribe",
        "params": f"Q.{OPTION},Q.IBM",
    }


# --- REST -----------------------------------------------------------------------------------------------------------------


def test_alpaca_latest() -> None:
    quotes = {name: {key: value for key, value in stock_quote().items() if key not in "TS"} for name in ("AAPL", "IBM")}
    latest = STOCKS.rest.read_latest({"quotes": {**quotes, "bad!": {}}}, [])
    assert [quote.symbol for quote in latest.quotes] == ["AAPL", "IBM"] and len(latest.bad) == 1
    assert latest.quotes[0].quoted_at == AT
    request = OPTIONS.rest.latest([OPTION])
    assert request.params == {"symbols": "AAPL261218C00200000", "feed": "indicative"}


def test_alpaca_chain() -> None:
    answer = {
        "snapshots": {
            "AAPL261218C00200000": {
                "latestQuote": {"bp": 1.0, "ap": 1.1, "bs": 1, "as": 2, "t": "2026-11-25T15:30:00Z"}
            },
            "AAPL261218P00200000": {},
            "AAPL1261218P00200000": {"latestQuote": 7},
        },
        "next_page_token": "more",
    }
    page = OPTIONS.chains.read_chain(answer, "")
    assert [contract.symbol for contract in page.contracts] == [
        OPTION,
        "O:AAPL261218P00200000",
        "O:AAPL1261218P00200000",
    ]
    assert page.contracts[0].quote.bid == 1 and page.contracts[1].quote is None and page.page == "more"
    assert OPTIONS.chains.chain("AAPL", "more").params["page_token"] == "more"
    assert STOCKS.chains is None


def snapshot(**last: Any) -> dict[str, Any]:
    return {
        "bid": 9.1,
        "ask": 9.3,
        "bid_size": 4,
        "ask_size": 5,
        "last_updated": NANOSECONDS,
        "timeframe": "REAL-TIME",
        **last,
    }


def test_massive_latest() -> None:
    answer = {
        "results": [
            {"ticker": "AAPL", "type": "stocks", "last_quote": snapshot()},
            {"ticker": OPTION, "type": "options", "last_quote": snapshot(bid=0)},
            {"ticker": "NOSUC", "error": "NOT_FOUND", "message": "Ticker not found."},
            {"ticker": "IBM"},
        ]
    }
    latest = MASSIVE["stocks"].rest.read_latest(answer, [])
    assert [(quote.symbol, quote.bid, quote.quoted_at) for quote in latest.quotes] == [
        ("AAPL", Decimal("9.1"), AT),
        (OPTION, None, AT),
    ]
    assert latest.unknown == ["NOSUC"] and [fault.word for fault in latest.bad] == ["shape"]


def test_massive_chain_asks_its_own_host_only() -> None:
    next_url = "https://elsewhere.example/v3/snapshot/options/IBM?cursor=abc&limit=250&apiKey=stolen"
    answer = {"results": [{"details": {"ticker": OPTION}, "last_quote": snapshot()}], "next_url": next_url}
    page = MASSIVE["options"].chains.read_chain(answer, "")
    assert page.contracts[0].quote.ask == Decimal("9.3")
    request = MASSIVE["options"].chains.chain("AAPL", page.page)
    assert request == ("/v3/snapshot/options/AAPL", {"cursor": "abc", "limit": "250"})


LAST_SHORT = {"results": {"T": "AAPL", "p": 9.1, "P": 9.3, "s": 4, "S": 5, "t": NANOSECONDS, "q": 9}}
LAST_LONG = {
    "results": {
        "bid_price": 9.1,
        "ask_price": 9.3,
        "bid_size": 4,
        "ask_size": 5,
        "sip_timestamp": NANOSECONDS,
        "sequence_number": 9,
    }
}


@pytest.mark.parametrize("answer", [LAST_SHORT, LAST_LONG, {"results": [LAST_LONG["results"]]}])
def test_cutemarkets_last(answer: dict[str, Any]) -> None:
    (quote,) = CUTE["stocks"].rest.read_latest(answer, ["AAPL"]).quotes
    assert quote == RawQuote(
        "AAPL", Decimal("9.1"), Decimal("9.3"), Decimal(4), Decimal(5), AT, "cutemarkets:stocks", 9
    )
    assert CUTE["options"].rest.latest([OPTION]).path == f"/v1/options/quotes/{OPTION}/last/"


def tradier_quote(symbol: str, **other: Any) -> dict[str, Any]:
    milliseconds = SECONDS * 1000
    return {
        "symbol": symbol,
        "bid": 9.1,
        "ask": 9.3,
        "bidsize": 4,
        "asksize": 5,
        "bid_date": milliseconds,
        "ask_date": milliseconds + 500,
        **other,
    }


# (answer of quotes, symbols read, unknown)
TRADIER_ANSWERS: list[tuple[Any, list[str], list[str]]] = [
    ({"quote": tradier_quote("AAPL")}, ["AAPL"], []),
    ({"quote": [tradier_quote("BRK/B"), tradier_quote("AAPL261218C00200000")]}, ["BRK.B", OPTION], []),
    ({"unmatched_symbols": {"symbol": "NOSUC"}}, [], ["NOSUC"]),
    ({"quote": tradier_quote("AAPL"), "unmatched_symbols": {"symbol": ["NOSUC", "O:?"]}}, ["AAPL"], ["NOSUC"]),
    (None, [], []),
    ("null", [], []),
]


@pytest.mark.parametrize(("found", "symbols", "unknown"), TRADIER_ANSWERS)
def test_tradier_latest(found: Any, symbols: list[str], unknown: list[str]) -> None:
    latest = TRADIER.rest.read_latest({"quotes": found}, [])
    assert [quote.symbol for quote in latest.quotes] == symbols
    assert list(latest.unknown) == unknown


@pytest.mark.parametrize(
    ("apart_ms", "at_ms"), [(0, 0), (500, 500), (-500, 0), (15_000, 15_000), (15_001, 0), (-15_001, -15_001)]
)
def test_tradier_sides_far_apart_are_as_old_as_the_older(apart_ms: int, at_ms: int) -> None:
    base = SECONDS * 1000
    quote = tradier.read_quote(
        tradier_quote("AAPL", bid_date=base, ask_date=base + apart_ms), "AAPL", "tradier:sandbox"
    )
    assert quote.quoted_at == reading.from_milliseconds(base + at_ms)


def test_tradier_a_side_that_is_absent_has_no_time() -> None:
    quote = tradier.read_quote(tradier_quote("AAPL", bid=0, bid_date=0), "AAPL", "tradier:sandbox")
    assert (quote.bid, quote.bid_size) == (None, 0) and quote.quoted_at == reading.from_milliseconds(
        SECONDS * 1000 + 500
    )


def test_tradier_chain_goes_expiry_by_expiry() -> None:
    rest = TRADIER.chains
    first = rest.read_chain({"expirations": {"date": ["2026-12-18", "2027-01-15", "never"]}}, "")
    assert first == ((), "2026-12-18,2027-01-15")
    assert rest.chain("BRK.B", first.page).params["expiration"] == "2026-12-18"
    second = rest.read_chain({"options": {"option": tradier_quote("AAPL261218C00200000")}}, first.page)
    assert [contract.symbol for contract in second.contracts] == [OPTION] and second.page == "2027-01-15"
    assert rest.read_chain({"options": None}, second.page) == ([], "")


# --- Settings -------------------------------------------------------------------------------------------------------------

LATE = reading.timedelta(seconds=910)
# (provider, settings, a part of the sentence; None = they go together)
COMBINATIONS: list[tuple[Any, dict[str, Any], str | None]] = [
    (alpaca, {}, None),
    (alpaca, {"feeds": ("sip", "opra")}, None),
    (alpaca, {"feeds": ("iex", "indicative")}, None),
    (alpaca, {"feeds": ("delayed_sip",), "delay": LATE}, None),
    (alpaca, {"key": ""}, "PAPERTRADE_PROVIDER_KEY"),
    (alpaca, {"secret": ""}, "PAPERTRADE_PROVIDER_SECRET"),
    (alpaca, {"feeds": ("nbbo",)}, "no feed nbbo"),
    (alpaca, {"feeds": ("iex", "sip")}, "one feed of stocks"),
    (alpaca, {"feeds": ("opra", "indicative")}, "one feed of options"),
    (alpaca, {"feeds": ("delayed_sip",)}, "PAPERTRADE_DELAY_SECONDS=910"),
    (alpaca, {"delay": LATE}, "set it to 0"),
    (alpaca, {"feeds": ("delayed_sip", "opra"), "delay": LATE}, "opra is not"),
    (alpaca, {"url": "http://data.example"}, "must begin with https://"),
    (alpaca, {"stream_url": "ws://10.0.0.1"}, "must begin with wss://"),
    (alpaca, {"url": "http://127.0.0.1:9", "stream_url": "ws://localhost:9"}, None),
    (alpaca, {"url": "https://user:word@data.example"}, "without user, password or query"),
    (alpaca, {"url": "https://data.example?apiKey=x"}, "without user, password or query"),
    (alpaca, {"url": "https://[::1"}, "is not an address"),
    (massive, {"secret": ""}, None),
    (massive, {}, "no secret"),
    (massive, {"key": "", "secret": ""}, "PAPERTRADE_PROVIDER_KEY"),
    (massive, {"secret": "", "feeds": ("crypto",)}, "no feed crypto"),
    (massive, {"secret": "", "delay": LATE}, None),
    (cutemarkets, {}, None),
    (cutemarkets, {"secret": "", "feeds": ("stocks",)}, None),
    (cutemarkets, {"feeds": ("stocks",)}, "one feed needs one key"),
    (cutemarkets, {"key": ""}, "PAPERTRADE_PROVIDER_KEY"),
    (cutemarkets, {"delay": LATE}, "set it to 0"),
    (cutemarkets, {"feeds": ("bonds",)}, "no feed bonds"),
    (tradier, {"secret": "", "delay": LATE}, None),
    (tradier, {"secret": "", "feeds": ("production",)}, None),
    (tradier, {"secret": ""}, "PAPERTRADE_DELAY_SECONDS=910"),
    (tradier, {"secret": "", "feeds": ("production",), "delay": LATE}, "set it to 0"),
    (tradier, {"delay": LATE}, "no secret"),
    (tradier, {"secret": "", "delay": LATE, "stream_url": "wss://x.example"}, "not streamed"),
    (tradier, {"secret": "", "feeds": ("sandbox", "production")}, "one feed at a time"),
    (tradier, {"key": "", "secret": ""}, "PAPERTRADE_PROVIDER_KEY"),
]


@pytest.mark.parametrize(("provider", "given_options", "sentence"), COMBINATIONS)
def test_settings_that_go_together_and_not(provider: Any, given_options: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        provider.check(options(**given_options))
        return
    with pytest.raises(alpaca.BadOptions) as refused:
        provider.check(options(**given_options))
    said = str(refused.value)
    assert sentence in said
    assert "the-key" not in said and "the-secret" not in said and "word" not in said.replace("password", "")
