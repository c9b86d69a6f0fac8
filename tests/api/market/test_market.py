"""/v1/market/: clock, advance, calendar, quotes; and /v1/status/."""

from typing import Any

import pytest

from marketdata.markets.current import current_market, drop_market
from tests.api.contract import CLOCK, QUOTE, SESSION, is_error, is_list, is_object, request_id
from tests.api_kit import Api
from tests.factories import TokenFactory
from tests.market_kit import CALL, MarketKit

pytestmark = pytest.mark.usefixtures("open_market")
ADVANCE = "/v1/market/clock/advance/"
QUOTES = "/v1/market/quotes/"


class TestClock:
    def test_it_works(self, api: Api) -> None:
        clock = is_object(api.get("/v1/market/clock/"), CLOCK)
        assert (clock["timestamp"], clock["is_open"], clock["market"]) == (
            "2013-10-07T14:00:00.000000Z",
            True,
            "recorded",
        )
        assert (clock["next_open"], clock["next_close"]) == (
            "2013-10-08T13:30:00.000000Z",
            "2013-10-07T20:00:00.000000Z",
        )
        assert float(clock["speed"]) == 0

    @pytest.mark.parametrize(
        ("to", "is_open", "next_open", "next_close"),
        [
            ("2013-10-07T19:59:59Z", True, "2013-10-08T13:30", "2013-10-07T20:00"),
            ("2013-10-07T20:00:00Z", False, "2013-10-08T13:30", "2013-10-08T20:00"),
            ("2013-10-08T13:30:00Z", True, "2013-10-09T13:30", "2013-10-08T20:00"),
        ],
    )
    def test_a_session_is_open_at_its_open_and_not_at_its_close(
        self, api: Api, open_market: MarketKit, to: str, is_open: bool, next_open: str, next_close: str
    ) -> None:
        open_market.play(start=to)
        clock = is_object(api.get("/v1/market/clock/"), CLOCK)
        assert (clock["is_open"], clock["next_open"][:16], clock["next_close"][:16]) == (is_open, next_open, next_close)

    def test_any_valid_key_may_read_it(self, trader: Any) -> None:
        for scopes in (["paper"], ["market"]):
            assert Api(TokenFactory(user=trader, scopes=scopes)).get("/v1/market/clock/").status_code == 200


class TestAdvance:
    def test_it_works(self, api: Api, market_api: Api) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, qty="10", type="limit", limit_price="50")
        clock = is_object(market_api.post(ADVANCE, {"to": "2013-10-07T20:00:00Z"}), CLOCK)
        assert (clock["timestamp"], clock["is_open"]) == ("2013-10-07T20:00:00.000000Z", False)
        assert api.get(f"{account_id}/orders/{order['id']}/").json()["status"] == "expired", "done before it answers"

    @pytest.mark.parametrize(
        ("seconds", "to"), [(90, "14:01:30.000000"), ("0.5", "14:00:00.500000"), (0, "14:00:00.000000")]
    )
    def test_by_seconds(self, market_api: Api, seconds: Any, to: str) -> None:
        assert is_object(market_api.post(ADVANCE, {"seconds": seconds}), CLOCK)["timestamp"] == f"2013-10-07T{to}Z"

    def test_a_time_with_an_offset(self, market_api: Api) -> None:
        clock = is_object(market_api.post(ADVANCE, {"to": "2013-10-07T10:01:00-04:00"}), CLOCK)
        assert clock["timestamp"] == "2013-10-07T14:01:00.000000Z"

    def test_backwards(self, market_api: Api) -> None:
        is_error(market_api.post(ADVANCE, {"to": "2013-10-07T13:59:59Z"}), 400, "bad_request")
        is_error(market_api.post(ADVANCE, {"seconds": -1}), 400, "bad_request")

    @pytest.mark.parametrize(
        "body",
        [{}, {"to": "x"}, {"to": 5}, {"to": None}, {"seconds": "x"}, {"seconds": True}, {"seconds": "NaN"}, {"seconds": "1e9"},
         {"to": "2013-10-07T15:00:00Z", "seconds": 1}, {"by": 5}, [], {"to": "9999-12-31T23:59:59Z"}],
        ids=str,
    )  # fmt: skip
    def test_bad_bodies(self, api: Api, market_api: Api, body: Any) -> None:
        response = market_api.post(ADVANCE, body)
        assert 400 <= response.status_code < 500, response.content
        assert api.get("/v1/market/clock/").json()["timestamp"] == "2013-10-07T14:00:00.000000Z"

    def test_it_needs_the_scope_market(self, api: Api) -> None:
        is_error(api.post(ADVANCE, {"seconds": 1}), 403, "forbidden")

    def test_only_where_the_clock_may_be_moved(self, market_api: Api, settings: Any) -> None:
        from decimal import Decimal

        from marketdata.models import MarketClock

        settings.PAPERTRADE_SPEED = Decimal(1)
        MarketClock.objects.all().delete()
        drop_market()
        current_market().start()
        response = market_api.post(ADVANCE, {"seconds": 1})
        assert response.status_code == 409
        assert response.json()["status"] == "ERROR"


class TestCalendar:
    def test_it_works(self, api: Api) -> None:
        rows = is_list(api.get("/v1/market/calendar/", start="2013-11-27", end="2013-12-02"), SESSION)
        assert rows == [
            {"date": "2013-11-27", "open": "2013-11-27T14:30:00.000000Z", "close": "2013-11-27T21:00:00.000000Z"},
            {"date": "2013-11-29", "open": "2013-11-29T14:30:00.000000Z", "close": "2013-11-29T18:00:00.000000Z"},
            {"date": "2013-12-02", "open": "2013-12-02T14:30:00.000000Z", "close": "2013-12-02T21:00:00.000000Z"},
        ]

    def test_without_dates(self, api: Api) -> None:
        assert is_list(api.get("/v1/market/calendar/"), SESSION)[0]["date"] == "2013-10-07"

    @pytest.mark.parametrize("query", [{"start": "x"}, {"end": "2013-13-01"}, {"start": "\x00"}], ids=str)
    def test_values_that_cannot_be(self, api: Api, query: dict[str, str]) -> None:
        is_error(api.get("/v1/market/calendar/", **query), 400, "bad_request")


class TestQuotes:
    def test_it_works(self, api: Api) -> None:
        rows = is_list(api.get(QUOTES, symbols=f"IBM,{CALL}"), QUOTE)
        assert [row["symbol"] for row in rows] == ["IBM", CALL]
        stock = rows[0]
        assert [float(stock[name]) for name in ("bid", "ask", "bid_size", "ask_size", "age_ms")] == [
            100,
            100.10,
            500,
            300,
            0,
        ]
        assert (stock["quoted_at"], stock["quality"], stock["feed"]) == ("2013-10-07T14:00:00.000000Z", "ok", "test")

    @pytest.mark.parametrize(
        ("quote", "quality"),
        [
            ("13:59:58 IBM 100.00 100.10", "ok"),
            ("13:59:40 IBM 100.00 100.10", "quote_stale"),
            ("13:29:59 IBM 100.00 100.10", "quote_stale"),
            ("13:59:58 IBM 100.20 100.10", "quote_crossed"),
            ("13:59:58 IBM - 100.10", "quote_invalid"),
            ("13:59:58 AAPL 100.00 100.10", "quote_missing"),
        ],
    )
    def test_quality_is_the_reason_that_would_stop_a_fill(
        self, api: Api, open_market: MarketKit, quote: str, quality: str
    ) -> None:
        open_market.play(quote, start="14:00:00")
        rows = is_list(api.get(QUOTES, symbols="IBM"), QUOTE)
        assert [row["quality"] for row in rows] == [quality]

    @pytest.mark.parametrize("symbols", ["", ",", "IBM;AAPL", "IBM,\x00", ",".join(f"A{i}" for i in range(2000))])
    def test_symbols_that_cannot_be(self, api: Api, symbols: str) -> None:
        is_error(api.get(QUOTES, symbols=symbols), 400, "bad_request")

    def test_only_a_pushed_feed_takes_quotes(self, api: Api, market_api: Api) -> None:
        is_error(api.post(QUOTES, {"quotes": []}), 403, "forbidden")
        is_error(market_api.post(QUOTES, {"quotes": []}), 409, "feed_not_writable")


class TestStatus:
    def test_it_works_without_a_key(self) -> None:
        response = Api(None).get("/v1/status/")
        assert response.status_code == 200
        body = response.json()
        assert list(body)[:4] == ["status", "request_id", "version", "services"]
        assert body["status"] in ("ok", "degraded")
        assert request_id(body["request_id"])
        assert body["services"]
        for service in body["services"].values():
            assert {"status", "latency_ms"} <= service.keys()

    def test_it_tells_nobody_anything_else(self) -> None:
        body = Api(None).get("/v1/status/").content.decode()
        assert "password" not in body and "127.0.0.1" not in body
