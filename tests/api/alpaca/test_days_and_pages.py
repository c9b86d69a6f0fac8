"""What a day changed, whenever it is asked; the account's curve without holes; activities page by page."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import PaperAccount
from marketdata.feeds.recorded import RecordedFeed
from marketdata.markets.base import Market
from papertrade.api.alpaca.last_close import last_closes
from papertrade.api.alpaca.wire import asset_id
from papertrade.dashboard.overview import standings
from papertrade.stream.alpaca_orders import trade_updates
from portfolio.models import AccountEvent
from portfolio.selectors import book_of
from tests.api_kit import Api
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import CALL, MarketKit, steady

FRIDAY_CLOSES = "2013-10-04T19:59:50Z"
TUESDAY = "2013-10-08"


class Pair:
    """An account's pair as Alpaca's clients send it, without a server between."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.account = desk, desk.account
        secret = TokenFactory(user=desk.account.user)
        self.headers = {"APCA-API-KEY-ID": str(desk.account.pk), "APCA-API-SECRET-KEY": secret}

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return Api(None).request(method, f"/v2/{path}", body, query=query, headers=self.headers)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.send("GET", path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()


@pytest.fixture
def week(market_kit: MarketKit) -> MarketKit:
    """Monday, 14:00: IBM closes at 98 on Friday and at 101 today, and opens at 105 on Tuesday; KO was never seen before."""
    market_kit.play(
        f"{FRIDAY_CLOSES} IBM 98.00 98.10", "2013-10-04T19:59:55Z IBM 97.00 -",
        *steady("IBM", "100.00", "100.10", ["14:00:00"]), *steady("KO", "60.00", "60.10", ["14:00:00"]),
        "19:59:50 IBM 101.00 101.10", f"{TUESDAY}T13:30:05Z IBM 105.00 105.10",
        start="14:00:00",
    )  # fmt: skip
    return market_kit


@pytest.fixture
def pair(week: MarketKit) -> Pair:
    return Pair(Desk(UserFactory()))


def today(pair: Pair) -> tuple[str, str, str]:
    """Of IBM: its price at the last close, the day's profit, and the change since then."""
    found = pair.get("positions/IBM")
    return found["lastday_price"], found["unrealized_intraday_pl"], found["change_today"]


def test_a_day_is_against_the_close_before_it(pair: Pair, week: MarketKit) -> None:
    """Also when its session is over; the account, the curve of a day and the dashboard say the same of a night's gap."""
    pair.desk.buy("10")
    assert today(pair) == ("98", "20.00", "0.020408")
    week.advance("21:00:00")
    assert today(pair) == ("98", "30.00", "0.030612")
    assert pair.get("account")["last_equity"] == "100000.00"
    week.advance(f"{TUESDAY}T13:31:00Z")
    assert today(pair) == ("101", "40.00", "0.039604")
    account, curve = pair.get("account"), pair.get("account/portfolio/history", period="1D", timeframe="1Min")
    assert (account["last_equity"], account["equity"]) == ("100009.00", "100049.00")
    assert (curve["base_value"], curve["equity"][-1], curve["profit_loss"][-1]) == (100_009, 100_049, 40)
    book = book_of(account=pair.account)
    assert standings([book])[book.pk].day_change == 40


BEYOND_ALL_TIMES = [
    ("account/activities", {"date": "0001-01-01"}),
    ("account/activities", {"date": "9999-12-31"}),
    ("account/activities", {"after": "0001-01-01T00:00:00+14:00"}),
    ("calendar", {"start": "0001-01-01", "end": "9999-12-31", "date_type": "settlement"}),
    ("account/portfolio/history", {"period": "9999A"}),
    ("account/portfolio/history", {"start": "9999-12-31", "period": "9999M"}),
    ("account/portfolio/history", {"end": "0001-01-01T00:00:00+14:00"}),
    (
        "account/portfolio/history",
        {"start": "2013-01-01", "end": "2013-01-31", "timeframe": "1D"},
    ),  # before the account
    ("orders", {"until": "9999-12-31T23:59:59-12:00"}),
]


def test_what_lies_beyond_all_times_is_answered(pair: Pair) -> None:
    for path, query in BEYOND_ALL_TIMES:
        pair.get(path, **query)


def test_a_page_size_that_is_none_is_refused(pair: Pair) -> None:
    for size in ("0", "101", "1000000000", "9" * 5_000, "\N{SUPERSCRIPT TWO}", "x"):
        assert pair.send("GET", "account/activities", page_size=size).status_code == 422


def test_what_is_not_known_is_null(pair: Pair) -> None:
    pair.desk.buy("10", symbol="KO")
    found = pair.get("positions/KO")
    names = ("lastday_price", "unrealized_intraday_pl", "unrealized_intraday_plpc", "change_today")
    assert {name: found[name] for name in names} == dict.fromkeys(names)


def test_a_recording_that_begins_today_is_not_read_for_it(
    market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    market_kit.play("14:00:00 IBM 100.00 100.10", start="14:00:00")
    pair = Pair(Desk(UserFactory()))
    pair.desk.buy("10")
    monkeypatch.setattr(RecordedFeed, "remember", lambda feed, symbols: pytest.fail("the files are read"))
    assert pair.get("positions/IBM")["lastday_price"] is None


def test_where_the_past_is_known_by_the_minute_it_is_a_stocks_middle(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bid would be a day's quotes to read for each symbol, on a thread that serves."""
    monkeypatch.setattr(Market, "keeps_minutes", True)
    monkeypatch.setattr(RecordedFeed, "mids", lambda feed, symbol, times: [98.05 for _ in times])
    assert last_closes(["IBM", CALL]) == {"IBM": Decimal("98.05")}


def stamps(curve: dict[str, Any]) -> list[str]:
    return [f"{moment // 3600 % 24:02d}:{moment // 60 % 60:02d}" for moment in curve["timestamp"]]


def test_the_curve_has_no_holes(pair: Pair, week: MarketKit) -> None:
    """A point for each stretch of the session, held or flat, under its beginning, from where the account was opened."""

    def curve(**query: str) -> dict[str, Any]:
        return pair.get("account/portfolio/history", **query)

    week.advance("14:02:30")
    flat = curve(period="1D", timeframe="1Min")
    assert (stamps(flat), set(flat["equity"])) == (["14:00", "14:01", "14:02"], {100_000})
    week.advance("19:59:50")
    pair.desk.buy("10")
    week.advance(f"{TUESDAY}T13:31:00Z")
    monday = {"start": "2013-10-07", "period": "1D"}
    minutes = curve(**monday, timeframe="1Min")
    assert (len(minutes["equity"]), stamps(minutes)[-1], minutes["equity"][-2:]) == (360, "19:59", [100_000, 99_999])
    assert stamps(curve(**monday, timeframe="1H")) == [f"{hour}:00" for hour in range(14, 20)]
    assert stamps(curve(period="1D", timeframe="1H")) == ["13:30"]
    assert stamps(curve(start="2013-10-07", period="all", timeframe="1H"))[-1] == "13:30"
    assert curve(start="2013-10-08", period="1W", timeframe="1D")["equity"] == [100_039]


def paged(pair: Pair, **query: Any) -> list[str]:
    """The ids of all activities, one a page."""
    found: list[str] = []
    while rows := pair.get("account/activities", page_size=1, **({"page_token": found[-1]} if found else {}), **query):
        found += [row["id"] for row in rows]
    return found


def test_activities_page_by_page(market_kit: MarketKit) -> None:
    """Either way, fills of one instant and a settlement; bounds and an order narrow them; what an order had filled by then."""
    last_day = "2013-10-18T19:59:50Z"
    market_kit.play(
        "14:00:00 IBM 100.00 100.10 1000 10", "14:00:00 " + f"{CALL} 4.00 4.20", "14:00:30 IBM 100.00 100.05 1000 10",
        f"{last_day} IBM 105.00 105.10", start="14:00:00",
    )  # fmt: skip
    pair = Pair(Desk(UserFactory()))
    option, stock = pair.desk.buy("2", symbol=CALL), pair.desk.buy("15")
    market_kit.advance("14:00:30")
    market_kit.advance("2013-10-18T20:00:00Z")
    rows = pair.get("account/activities")
    assert [(row["activity_type"], row.get("cum_qty"), row.get("leaves_qty")) for row in rows] == [
        ("OPCSH", None, None),
        ("FILL", "15", "0"),
        ("FILL", "10", "5"),
        ("FILL", "2", "0"),
    ]
    ids = [row["id"] for row in rows]
    assert paged(pair) == ids == sorted(ids, reverse=True)
    assert paged(pair, direction="asc") == ids[::-1]
    assert paged(pair, order_id=str(stock.pk)) == ids[1:3]
    assert paged(pair, date="2013-10-07") == ids[1:]
    assert paged(pair, activity_types="OPCSH") == paged(pair, after="2013-10-08") == ids[:1]
    assert paged(pair, until="2013-10-07T14:00:30Z", direction="asc") == [ids[3], ids[2]]
    assert paged(pair, order_id="nonsense") == paged(pair, activity_types="OPEXP") == []
    assert paged(pair, order_id=str(option.pk)) == ids[3:]
    for token in ("nonsense", f"20131007100000000::{uuid4()}"):
        refused = pair.send("GET", "account/activities", page_token=token)
        assert (refused.status_code, refused.json()["code"]) == (422, 40010001)


def test_an_order_by_its_asset(pair: Pair) -> None:
    order = {"symbol": str(asset_id("IBM")), "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    assert pair.send("POST", "orders", order).json()["symbol"] == "IBM"
    refused = pair.send("POST", "orders", {**order, "symbol": str(uuid4())})
    assert (refused.status_code, refused.json()["code"]) == (422, 42210000)


def test_another_id_alone_is_no_change(pair: Pair) -> None:
    order = pair.desk.buy("1", limit="90")
    refused = pair.send("PATCH", f"orders/{order.pk}", {"client_order_id": "another"})
    assert (refused.status_code, refused.json()["message"]) == (422, "order parameters are not changed")


def test_updates_tell_an_order_as_it_stood(pair: Pair) -> None:
    """One that was replaced later was not replaced when it was new; the position is that after each fill."""
    old = pair.desk.buy("1", limit="90")
    new = pair.desk.replace(old, qty="2")
    for qty in ("10", "5"):
        pair.desk.buy(qty)
    pair.desk.sell("3")
    updates = trade_updates(_events(pair.account))
    assert [(row["event"], row["order"]["replaced_by"]) for row in updates if row["order"]["id"] == str(old.pk)] == [
        ("new", None),
        ("replaced", str(new.pk)),
    ]
    assert [row["position_qty"] for row in updates if row["event"] == "fill"] == ["10", "15", "12"]


def _events(account: PaperAccount) -> list[AccountEvent]:
    return list(AccountEvent.objects.filter(account=account).order_by("seq"))
