"""The hosted product's own Python client against this server, method by method: only key and address are other ones.

Each method has a row in METHODS, found by looking into the client, so a new one of it fails here until it has one. What it answers
is held to a few lines over the quotes that the market was given. Its paper calls: test_their_paper_client.py, in `paper`.
"""

import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import cutemarkets
import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from tests.factories import TokenFactory, UserFactory
from tests.market_kit import CALL, MarketKit

CHAIN = [CALL, "O:IBM131019C00105000", "O:IBM131019P00095000"]
GONE = "O:IBM131012C00100000"  # 12 October 2013 is a Saturday too: it trades until the 11th
# Of the day before the one that is going on, and of this one: the second of each minute's two quotes is higher.
MINUTES = [f"{day}T14:{minute:02d}" for day in ("2013-10-04", "2013-10-07") for minute in range(30)]
ROWS = [
    (
        f"{minute}:{second:02d}",
        round(4 + number / 100 + second / 10_000, 4),
        round(4.2 + number / 100 + second / 10_000, 4),
    )
    for number, minute in enumerate(MINUTES)
    for second in (10, 40)
]
NOW = "2013-10-07T14:29:40"
MONDAY = [row for row in ROWS if row[0] > "2013-10-07"]


def at(stamp: str) -> int:
    """In nanoseconds."""
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 10**9


def mid(row: tuple[str, float, float]) -> float:
    return round((row[1] + row[2]) / 2, 6)


def closes() -> list[float]:
    """Of the minutes that are over."""
    return [mid(second) for second in ROWS[1::2]][:-1]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    contract = [f"{stamp} {CALL} {bid:.4f} {ask:.4f} 20 10" for stamp, bid, ask in ROWS]
    others = [f"2013-10-07T14:29:30 {symbol} 1.00 1.20 20 10" for symbol in (*CHAIN[1:], GONE)]
    return [
        *contract,
        *others,
        "2013-10-07T14:29:30 IBM 100.00 100.10 500 300",
        "2013-10-07T14:29:31 MSFT 33.25 - 100 0",
    ]


@pytest.fixture
def client(committed: None, market_kit: MarketKit, lines: list[str]) -> Iterator[cutemarkets.CuteMarkets]:
    market_kit.play(*lines, start=NOW)
    running = LiveServer("localhost")
    with cutemarkets.CuteMarkets(TokenFactory(user=UserFactory()), base_url=running.url, max_retries=0) as client:
        yield client
    running.stop()
    connection.close_pool()  # of the server's threads, which are gone


Client = cutemarkets.CuteMarkets


def chain(c: Client) -> None:
    page = c.options.chain("IBM", limit=2, strike_price_gte=95, expiration_date_gte="2013-10-19")
    assert (len(page), page.has_next, page.rate_limit.plan) == (2, True, "self-hosted")
    assert [row.details.ticker for row in page.iter_all()] == CHAIN, "it follows next_url"
    [row] = c.options.chain("IBM", sort="strike_price", order="desc", limit=1)
    assert (row.details.ticker, row.last_trade.price, row.last_trade.conditions) == (CHAIN[1], 1.1, [1000])
    with pytest.raises(cutemarkets.BadRequestError):
        c.options.chain("IBM", sort="volume")


def iter_chain(c: Client) -> None:
    assert [row.details.ticker for row in c.options.iter_chain("IBM", limit=1, strike_price_gt=100)] == [CHAIN[1]]
    down = [row.details.ticker for row in c.options.iter_chain("IBM", limit=1, order="desc", strike_price=100)]
    assert down == [CALL, GONE]


def snapshot(c: Client) -> None:
    found = c.options.snapshot("IBM", CALL)
    assert (found.details.ticker, found.last_quote.bid, found.last_quote.ask) == (CALL, MONDAY[-1][1], MONDAY[-1][2])
    assert 0 < found.greeks.delta < 1
    day, friday = found.day, mid(ROWS[len(ROWS) // 2 - 1])
    mids = [mid(row) for row in MONDAY]
    assert (day.open, day.high, day.low, day.close) == (mids[0], max(mids), min(mids), mids[-1])
    assert (day.previous_close, day.volume, day.change) == (friday, 0, pytest.approx(mids[-1] - friday))
    assert day.change_percent == pytest.approx(100 * (mids[-1] / friday - 1), abs=1e-4)
    with pytest.raises(cutemarkets.NotFoundError) as missing:
        c.options.snapshot("IBM", "O:IBM131019C00555000")
    assert missing.value.request_id.startswith("cm_")


def contracts_list(c: Client) -> None:
    found = c.options.contracts.list(underlying_ticker="IBM", contract_type="put")
    [put] = found
    assert (put.ticker, put.underlying_ticker, put.contract_type, put.strike_price) == (CHAIN[2], "IBM", "put", 95.0)
    assert (put.expiration_date, put.shares_per_contract) == ("2013-10-19", 100)
    assert GONE in [row.ticker for row in c.options.contracts.list(underlying_ticker="IBM", as_of="2013-10-04")]
    with pytest.raises(cutemarkets.BadRequestError, match="as_of"):
        c.options.contracts.list(underlying_ticker="IBM", as_of="2013-10-08")


def contracts_iter_list(c: Client) -> None:
    found = c.options.contracts.iter_list(underlying_ticker="IBM", limit=1, sort="strike_price", expired=True)
    assert [row.ticker for row in found] == [CHAIN[2], GONE, CALL, CHAIN[1]]


def contracts_get(c: Client) -> None:
    assert c.options.contracts.get(CALL, as_of="2013-10-04").expiration_date == "2013-10-19"
    with pytest.raises(cutemarkets.NotFoundError):
        c.options.contracts.get("O:IBM131019C00555000")


def trades_list(c: Client) -> None:
    latest = c.options.trades.list(CALL, limit=3)
    assert [(row.sip_timestamp, row.price, row.size, row.conditions) for row in latest] == [
        (at(row[0]), mid(row), 0, [1000]) for row in ROWS[:-4:-1]
    ]
    bounded = c.options.trades.list(CALL, timestamp_gte=at(ROWS[2][0]), timestamp_lt=at(ROWS[5][0]), order="asc")
    assert [row.price for row in bounded] == [mid(row) for row in ROWS[2:5]]
    with pytest.raises(cutemarkets.BadRequestError):
        c.options.trades.list(CALL, sort="price")


def trades_iter_list(c: Client) -> None:
    friday = c.options.trades.iter_list(CALL, timestamp="2013-10-04", order="asc", limit=7)
    assert [row.price for row in friday] == [mid(row) for row in ROWS if row not in MONDAY]


def trades_last(c: Client) -> None:
    last = c.options.trades.last(CALL)
    assert (last.ticker, last.price, last.sip_timestamp) == (CALL, mid(ROWS[-1]), at(NOW))


def quotes_list(c: Client) -> None:
    found = c.options.quotes.list(CALL, order="desc", limit=2, timestamp_lte="2013-10-07")
    assert [(row.bid_price, row.ask_price, row.bid_size, row.sip_timestamp) for row in found] == [
        (pytest.approx(row[1]), pytest.approx(row[2]), 20, at(row[0])) for row in ROWS[:-3:-1]
    ]


def quotes_iter_list(c: Client) -> None:
    everything = c.options.quotes.iter_list(CALL, timestamp_gt="2013-10-03", order="asc", limit=11)
    assert [row.sip_timestamp for row in everything] == [at(row[0]) for row in ROWS]


def aggs_range(c: Client) -> None:
    found = c.options.aggs.range(CALL, 10, "minute", "2013-10-07", "2013-10-07", sort="asc")
    parts = [[mid(row) for row in MONDAY[begin : begin + 20]] for begin in (0, 20, 40)]
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) for bar in found] == [
        (part[0], max(part), min(part), part[-1], 0, 20) for part in parts
    ]
    assert [bar.vwap for bar in found] == [pytest.approx(fmean(part), abs=1e-6) for part in parts]
    assert found.results[0].timestamp * 10**6 == at("2013-10-07T14:00:00")
    with pytest.raises(cutemarkets.BadRequestError):
        c.options.aggs.range(CALL, 7, "day", "2013-10-07", "2013-10-07")


def aggs_iter_range(c: Client) -> None:
    week = c.options.aggs.iter_range(CALL, 1, "day", "2013-10-04", "2013-10-09", limit=1, sort="desc")
    assert [bar.close for bar in week] == [mid(ROWS[-1]), mid(ROWS[len(ROWS) // 2 - 1])]


def aggs_previous(c: Client) -> None:
    friday = [mid(row) for row in ROWS if row not in MONDAY]
    bar = c.options.aggs.previous(CALL)
    assert (bar.ticker, bar.open, bar.close, bar.trade_count) == (CALL, friday[0], friday[-1], len(friday))


def open_close(c: Client) -> None:
    friday = [mid(row) for row in ROWS if row not in MONDAY]
    found = c.options.open_close(CALL, "2013-10-04")
    assert (found.symbol, found.from_date, found.pre_market) == (CALL, "2013-10-04", None)
    assert (found.open, found.high, found.low, found.close) == (friday[0], max(friday), min(friday), friday[-1])
    with pytest.raises(cutemarkets.NotFoundError):
        c.options.open_close(CALL, "2013-10-05")
    with pytest.raises(cutemarkets.BadRequestError):
        c.options.open_close(CALL, "2013-10-08")


def aggs_open_close(c: Client) -> None:
    assert c.options.aggs.open_close(CALL, "2013-10-07").close == mid(ROWS[-1]), "as far as it has come"


def smooth(prices: list[float], weight: float, window: int) -> list[float]:
    """Of each price from the first full window on, its average that begins with the mean of that window."""
    found = [fmean(prices[:window])]
    for price in prices[window:]:
        found.append(found[-1] + weight * (price - found[-1]))
    return found


def sma(c: Client) -> None:
    found = c.options.indicators.sma(CALL, timespan="minute", window=5, limit=3, expand_underlying=True)
    expected = [fmean(closes()[end - 5 : end]) for end in (59, 58, 57)]
    assert [point.value for point in found.values] == pytest.approx(expected)
    assert found.values[0].timestamp * 10**6 == at("2013-10-07T14:28:00"), "the minute that is going on is left out"
    assert len(found.underlying.aggregates) == 3


def ema(c: Client) -> None:
    found = c.options.indicators.ema(CALL, timespan="minute", window=12, limit=4)
    assert [point.value for point in found.values] == pytest.approx(smooth(closes(), 2 / 13, 12)[:-5:-1])


def macd(c: Client) -> None:
    asked = {"short_window": 3, "long_window": 9, "signal_window": 2}
    found = c.options.indicators.macd(
        CALL, timespan="minute", limit=4, timestamp_gte="2013-10-04", order="asc", **asked
    )
    slow = smooth(closes(), 2 / 10, 9)
    lines = [fast - line for fast, line in zip(smooth(closes(), 2 / 4, 3)[6:], slow, strict=True)]
    signal = smooth(lines, 2 / 3, 2)
    assert [point.value for point in found.values] == pytest.approx(lines[1:5])
    assert [point.signal for point in found.values] == pytest.approx(signal[:4])
    assert [point.histogram for point in found.values] == pytest.approx(
        [lines[1] - signal[0], *_less(lines[2:5], signal[1:4])]
    )


def _less(ones: list[float], others: list[float]) -> list[float]:
    return [one - other for one, other in zip(ones, others, strict=True)]


def rsi(c: Client) -> None:
    found = c.options.indicators.rsi(CALL, timespan="minute", window=6, limit=2, series_type="close")
    changes = _less(closes()[1:], closes()[:-1])
    rise = smooth([max(change, 0) for change in changes], 1 / 6, 6)
    fall = smooth([max(-change, 0) for change in changes], 1 / 6, 6)
    expected = [100 * up / (up + down) for up, down in zip(rise, fall, strict=True)]
    assert [point.value for point in found.values] == pytest.approx(expected[:-3:-1])


def search(c: Client) -> None:
    assert [found.symbol for found in c.tickers.search(query="IBM")] == ["IBM"]


def iter_search(c: Client) -> None:
    assert [found.symbol for found in c.tickers.iter_search(limit=1)] == ["IBM", "MSFT"]


def expirations(c: Client) -> None:
    assert c.tickers.expirations("IBM").results == ["2013-10-12", "2013-10-19"]


def status(c: Client) -> None:
    assert c.status().services["database"].status == "ok"


METHODS: dict[str, Callable[[Client], None]] = {
    "options.aggs.iter_range": aggs_iter_range,
    "options.aggs.open_close": aggs_open_close,
    "options.aggs.previous": aggs_previous,
    "options.aggs.range": aggs_range,
    "options.chain": chain,
    "options.contracts.get": contracts_get,
    "options.contracts.iter_list": contracts_iter_list,
    "options.contracts.list": contracts_list,
    "options.indicators.ema": ema,
    "options.indicators.macd": macd,
    "options.indicators.rsi": rsi,
    "options.indicators.sma": sma,
    "options.iter_chain": iter_chain,
    "options.open_close": open_close,
    "options.quotes.iter_list": quotes_iter_list,
    "options.quotes.list": quotes_list,
    "options.snapshot": snapshot,
    "options.trades.iter_list": trades_iter_list,
    "options.trades.last": trades_last,
    "options.trades.list": trades_list,
    "status": status,
    "tickers.expirations": expirations,
    "tickers.iter_search": iter_search,
    "tickers.search": search,
}
OF_THE_CLIENT_ITSELF = {"close", "set_api_key"}


def methods(thing: Any, path: str = "") -> Iterator[str]:
    """Every public method below an object of the client."""
    for name, value in inspect.getmembers(thing):
        if name.startswith("_"):
            continue
        if inspect.ismethod(value):
            yield f"{path}{name}"
        elif type(value).__module__.startswith("cutemarkets.resources"):
            yield from methods(value, f"{path}{name}.")


def test_each_of_its_methods(client: cutemarkets.CuteMarkets) -> None:
    """One market and one server for all of them: each of them reads, and changes nothing."""
    assert set(methods(client)) - OF_THE_CLIENT_ITSELF == set(METHODS)
    for name, check in METHODS.items():
        try:
            check(client)
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from problem


def test_what_it_makes_of_a_stranger(client: cutemarkets.CuteMarkets) -> None:
    stranger = cutemarkets.CuteMarkets(api_key="cm_nobody", base_url=client.base_url, max_retries=0)
    with stranger, pytest.raises(cutemarkets.AuthenticationError):
        stranger.tickers.search(query="IBM")
