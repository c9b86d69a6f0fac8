"""alpaca-py's TradingClient, unmodified: every call that it has, each answer looked at for what it says."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading import requests
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    ActivityType,
    AssetClass,
    AssetExchange,
    OrderSide,
    OrderStatus,
    QueryOrderStatus,
    TimeInForce,
)

from orders.models import Order
from portfolio.selectors import book_of, positions, summary
from tests.api.alpaca.conftest import Pair
from tests.market_kit import CALL, STOCK, MarketKit

OCC = CALL.removeprefix("O:")


class Scene:
    """One account in the open market, and the client that trades it."""

    def __init__(self, pair: Pair, market: MarketKit) -> None:
        self.pair, self.market = pair, market
        self.client = TradingClient(pair.key_id, pair.secret, url_override=pair.url)
        self.account = pair.account

    def buy(self, qty: float = 10, symbol: str = STOCK, **more: object) -> object:
        return self.client.submit_order(
            requests.MarketOrderRequest(
                symbol=symbol, qty=qty, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, **more
            )
        )

    def rest(self, limit: float = 90, qty: float = 5, **more: object) -> object:
        return self.client.submit_order(
            requests.LimitOrderRequest(
                symbol=STOCK, qty=qty, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=limit, **more
            )
        )


def refused(call: Callable[[], object], status: int, code: int, words: str) -> None:
    """The client's own error carries all three."""
    with pytest.raises(APIError) as refusal:
        call()
    assert (refusal.value.status_code, refusal.value.code) == (status, code), refusal.value
    assert words in refusal.value.message


@pytest.fixture
def scene(pair: Pair, open_market: MarketKit) -> Scene:
    return Scene(pair, open_market)


def get_account(s: Scene) -> None:
    s.buy()
    found, stands = s.client.get_account(), summary(book=book_of(account=s.account))
    assert (found.id, found.status, found.currency) == (s.account.pk, "ACTIVE", "USD")
    assert Decimal(found.cash) == stands.cash == Decimal("98999")
    assert Decimal(found.equity) == stands.equity and Decimal(found.buying_power) == stands.buying_power
    assert (found.last_equity, found.multiplier, found.shorting_enabled) == ("100000.00", "1", False)


def get_account_configurations(s: Scene) -> None:
    found = s.client.get_account_configurations()
    assert (found.fractional_trading, found.no_shorting, found.max_margin_multiplier) == (True, True, "1")


def set_account_configurations(s: Scene) -> None:
    found = s.client.get_account_configurations()
    assert s.client.set_account_configurations(found) == found
    found.no_shorting = False
    refused(lambda: s.client.set_account_configurations(found), 422, 42210000, "no_shorting cannot be changed")


def submit_order(s: Scene) -> None:
    order = s.buy(client_order_id="a b/c")
    assert (order.status, order.symbol, order.qty, order.filled_qty) == (OrderStatus.FILLED, STOCK, "10", "10")
    assert (order.filled_avg_price, order.client_order_id, order.asset_class) == (
        "100.1",
        "a b/c",
        AssetClass.US_EQUITY,
    )
    option = s.buy(1, OCC)
    assert (option.symbol, option.status, option.filled_avg_price) == (OCC, OrderStatus.FILLED, "4.2")
    assert Order.objects.get(pk=option.id).symbol == CALL
    client = s.client
    market = {"symbol": STOCK, "side": "buy", "type": "market", "time_in_force": "day"}
    refused(lambda: s.buy(client_order_id="a b/c"), 422, 40010001, "client_order_id must be unique")
    refused(lambda: s.buy(10_000), 403, 40310000, "insufficient buying power")
    refused(lambda: client.post("/orders", {**market, "qty": 0}), 422, 40010001, "qty must be > 0")
    refused(lambda: client.post("/orders", market), 422, 40010001, "qty or notional is required")
    refused(
        lambda: client.post("/orders", {**market, "notional": 5}), 422, 42210000, "notional orders are not supported"
    )
    refused(lambda: client.post("/orders", {**market, "qty": 1, "side": "up"}), 422, 40010001, "invalid side")
    refused(
        lambda: client.post("/orders", {**market, "qty": 1, "type": "limit"}), 422, 40010001, "require a limit price"
    )
    refused(lambda: client.post("/orders", {**market, "qty": 1, "type": "stop"}), 422, 42210000, "stop orders are not")
    refused(lambda: client.post("/orders", {**market, "qty": 1, "symbol": "??"}), 422, 42210000, 'asset "??" not found')
    refused(
        lambda: client.post("/orders", {**market, "qty": 1, "type": "limit", "limit_price": "1.001"}),
        422,
        42210000,
        "sub-penny",
    )
    refused(lambda: client.post("/orders", {**market, "qty": 11, "side": "sell"}), 403, 40310000, "insufficient qty")
    s.market.play("13:59:59 IBM 100 100.1 500 500", "13:59:59 KO 60 60.1 500 500", start="14:00:00")
    refused(
        lambda: client.post("/orders", {**market, "symbol": "KO", "qty": 1, "side": "sell"}),
        403,
        40310000,
        "not allowed to short",
    )


def get_orders(s: Scene) -> None:
    resting, filled, option = s.rest(), s.buy(), s.buy(1, OCC)
    listed = s.client.get_orders
    assert [row.id for row in listed()] == [resting.id], "open is what is listed unless said"
    everything = requests.GetOrdersRequest(status=QueryOrderStatus.ALL, direction="asc", nested=True)
    assert [row.id for row in listed(everything)] == [resting.id, filled.id, option.id]
    closed = requests.GetOrdersRequest(status=QueryOrderStatus.CLOSED, limit=1)
    assert [row.id for row in listed(closed)] == [option.id]
    of_options = requests.GetOrdersRequest(status=QueryOrderStatus.ALL, symbols=[OCC])
    assert [row.id for row in listed(of_options)] == [option.id]
    buys = requests.GetOrdersRequest(status=QueryOrderStatus.ALL, side=OrderSide.SELL)
    assert listed(buys) == []
    later = requests.GetOrdersRequest(status=QueryOrderStatus.ALL, after=filled.submitted_at)
    assert listed(later) == [], "all were sent in one instant, and `after` is exclusive"
    paged = s.client.get("/orders", {"status": "all", "before_order_id": str(option.id)})
    assert [row["id"] for row in paged] == [str(filled.id), str(resting.id)]


def get_order_by_id(s: Scene) -> None:
    order = s.rest()
    found = s.client.get_order_by_id(order.id)
    assert (found.id, found.limit_price, found.time_in_force) == (order.id, "90", TimeInForce.GTC)
    refused(lambda: s.client.get_order_by_id(uuid4()), 404, 40410000, "order not found")
    refused(lambda: s.client.get("/orders/what"), 422, 40010001, "order_id is missing")


def get_order_by_client_id(s: Scene) -> None:
    order = s.rest(client_order_id="mine & yours")
    assert s.client.get_order_by_client_id("mine & yours").id == order.id
    refused(lambda: s.client.get_order_by_client_id("nobody's"), 404, 40410000, "order not found")


def cancel_order_by_id(s: Scene) -> None:
    order, filled = s.rest(), s.buy()
    assert s.client.cancel_order_by_id(order.id) is None
    assert s.client.get_order_by_id(order.id).status == OrderStatus.CANCELED
    refused(lambda: s.client.cancel_order_by_id(filled.id), 422, 42210000, 'already in "filled" state')
    refused(lambda: s.client.cancel_order_by_id(uuid4()), 404, 40410000, "order not found")


def cancel_orders(s: Scene) -> None:
    orders = [s.rest(), s.rest(80)]
    assert {(row.id, row.status) for row in s.client.cancel_orders()} == {(order.id, 200) for order in orders}
    assert s.client.cancel_orders() == []


def replace_order_by_id(s: Scene) -> None:
    order = s.rest()
    change = requests.ReplaceOrderRequest(qty=7, limit_price=91, client_order_id="the other")
    other = s.client.replace_order_by_id(order.id, change)
    assert (other.replaces, other.qty, other.limit_price, other.client_order_id) == (order.id, "7", "91", "the other")
    old = s.client.get_order_by_id(order.id)
    assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, other.id) and old.replaced_at
    assert [row.id for row in s.client.get_orders()] == [other.id]
    again = requests.ReplaceOrderRequest(limit_price=91)
    refused(
        lambda: s.client.replace_order_by_id(order.id, again), 422, 42210000, "cannot replace order in replaced status"
    )
    refused(lambda: s.client.replace_order_by_id(other.id, again), 422, 42210000, "order parameters are not changed")
    dear = requests.ReplaceOrderRequest(qty=7_000_000)
    refused(lambda: s.client.replace_order_by_id(other.id, dear), 403, 40310000, "insufficient buying power")
    refused(lambda: s.client.replace_order_by_id(uuid4(), again), 404, 40410000, "order not found")


def get_all_positions(s: Scene) -> None:
    s.buy(), s.buy(2, OCC)
    stock, option = sorted(s.client.get_all_positions(), key=lambda row: row.asset_class, reverse=False)
    mine = {view.symbol: view for view in positions(book=book_of(account=s.account))}
    assert (stock.symbol, stock.qty, stock.avg_entry_price, stock.current_price) == (STOCK, "10", "100.1", "100")
    assert Decimal(stock.market_value) == mine[STOCK].market_value == 1000
    assert (option.symbol, option.qty, option.side) == (OCC, "2", "long")
    assert Decimal(option.cost_basis) == mine[CALL].cost_basis == 840


def get_open_position(s: Scene) -> None:
    s.buy(2, OCC)
    found = s.client.get_open_position(OCC)
    assert s.client.get_open_position(found.asset_id).symbol == found.symbol == OCC
    refused(lambda: s.client.get_open_position("KO"), 404, 40410000, "position does not exist")


def close_position(s: Scene) -> None:
    s.buy(8)
    half = s.client.close_position(STOCK, requests.ClosePositionRequest(percentage="50"))
    assert (half.side, half.qty, half.status) == (OrderSide.SELL, "4", OrderStatus.FILLED)
    assert s.client.close_position(STOCK, requests.ClosePositionRequest(qty="1")).qty == "1"
    assert s.client.close_position(STOCK).qty == "3"
    refused(lambda: s.client.close_position(STOCK), 404, 40410000, "position does not exist")


def close_all_positions(s: Scene) -> None:
    s.buy(8), s.buy(2, OCC), s.rest()
    closed = s.client.close_all_positions(cancel_orders=True)
    assert {(row.symbol, row.status, row.body.qty) for row in closed} == {(STOCK, 200, "8"), (OCC, 200, "2")}
    assert s.client.get_all_positions() == s.client.get_orders() == []


def exercise_options_position(s: Scene) -> None:
    s.buy(2, OCC)
    refused(lambda: s.client.exercise_options_position(OCC), 422, 42210000, "exercise is not supported")


def get_all_assets(s: Scene) -> None:
    [asset] = s.client.get_all_assets()
    assert (asset.symbol, asset.tradable, asset.fractionable, asset.shortable) == (STOCK, True, True, False)
    assert asset.exchange == AssetExchange.NYSE
    assert s.client.get_all_assets(requests.GetAssetsRequest(exchange=AssetExchange.NYSE)) == [asset]
    assert s.client.get_all_assets(requests.GetAssetsRequest(exchange=AssetExchange.NASDAQ)) == []
    assert s.client.get_all_assets(requests.GetAssetsRequest(asset_class=AssetClass.CRYPTO)) == []


def get_asset(s: Scene) -> None:
    found = s.client.get_asset(STOCK)
    assert s.client.get_asset(found.id).symbol == STOCK
    refused(lambda: s.client.get_asset("NOSUCH"), 404, 40410000, "asset not found for NOSUCH")


def get_option_contracts(s: Scene) -> None:
    of_ibm = requests.GetOptionContractsRequest(
        underlying_symbols=[STOCK], expiration_date_lte="2013-12-31", strike_price_gte="90", type="call"
    )
    [contract] = s.client.get_option_contracts(of_ibm).option_contracts
    assert (contract.symbol, contract.strike_price, contract.size) == (OCC, 100.0, "100")
    this_week = requests.GetOptionContractsRequest(underlying_symbols=[STOCK])
    assert s.client.get_option_contracts(this_week).option_contracts == [], "by default those that expire this week"


def get_option_contract(s: Scene) -> None:
    found = s.client.get_option_contract(OCC)
    assert (found.underlying_symbol, str(found.expiration_date), found.root_symbol) == (STOCK, "2013-10-19", STOCK)
    refused(lambda: s.client.get_option_contract("NOSUCH"), 404, 40410000, "contract not found")


def get_clock(s: Scene) -> None:
    found = s.client.get_clock()
    assert (found.is_open, found.timestamp) == (True, s.market.now())
    assert (found.next_open.isoformat(), found.next_close.isoformat()) == (
        "2013-10-08T09:30:00-04:00",
        "2013-10-07T16:00:00-04:00",
    )


def get_calendar(s: Scene) -> None:
    found = s.client.get_calendar(requests.GetCalendarRequest(start="2013-11-27", end="2013-12-01"))
    assert [(str(day.date), f"{day.close:%H:%M}") for day in found] == [
        ("2013-11-27", "16:00"),
        ("2013-11-29", "13:00"),
    ]


def get_portfolio_history(s: Scene) -> None:
    s.buy()
    s.market.advance("14:01:00")
    minutes = s.client.get_portfolio_history(requests.GetPortfolioHistoryRequest(period="1D", timeframe="1Min"))
    assert minutes.base_value == 100_000 and minutes.equity[-1] == 99_999
    assert minutes.profit_loss[-1] == -1 and len(minutes.timestamp) == len(minutes.equity)
    days = s.client.get_portfolio_history(requests.GetPortfolioHistoryRequest(period="1M", timeframe="1D"))
    assert days.equity == [99_999] and days.profit_loss == [-1]
    refused(lambda: s.client.get("/account/portfolio/history", {"period": "soon"}), 422, 40010001, "invalid period")


def get_corporate_announcements(s: Scene) -> None:
    wanted = requests.GetCorporateAnnouncementsRequest(ca_types=["dividend"], since="2013-10-01", until="2013-10-31")
    assert s.client.get_corporate_announcements(wanted) == []


def get_corporate_announcement_by_id(s: Scene) -> None:
    refused(lambda: s.client.get_corporate_announcement_by_id(uuid4()), 404, 40410000, "announcement not found")


def watchlists(s: Scene) -> None:
    client = s.client
    made = client.create_watchlist(requests.CreateWatchlistRequest(name="first", symbols=[STOCK]))
    assert ([asset.symbol for asset in made.assets], made.account_id) == ([STOCK], s.account.pk)
    refused(
        lambda: client.create_watchlist(requests.CreateWatchlistRequest(name="first", symbols=[])),
        422,
        42210000,
        "must be unique",
    )
    emptied = client.remove_asset_from_watchlist_by_id(made.id, STOCK)
    assert emptied.assets == []
    assert [a.symbol for a in client.add_asset_to_watchlist_by_id(made.id, STOCK).assets] == [STOCK]
    renamed = client.update_watchlist_by_id(made.id, requests.UpdateWatchlistRequest(name="second"))
    assert (renamed.name, client.get_watchlist_by_id(made.id).name) == ("second", "second")
    assert [row.name for row in client.get_watchlists()] == ["second"]
    assert client.get("/watchlists:by_name", {"name": "second"})["id"] == str(made.id)
    assert client.delete_watchlist_by_id(made.id) is None
    assert client.get_watchlists() == []
    refused(lambda: client.get_watchlist_by_id(made.id), 404, 40410000, "watchlist not found")


def activities(s: Scene) -> None:
    filled = s.buy()
    [row] = s.client.get("/account/activities", {"activity_types": ActivityType.FILL.value})
    assert (row["activity_type"], row["order_id"], row["cum_qty"], row["leaves_qty"]) == (
        "FILL",
        str(filled.id),
        "10",
        "0",
    )
    assert (row["price"], row["side"], row["type"]) == ("100.1", "buy", "fill")
    assert s.client.get("/account/activities/FILL") == [row]
    assert s.client.get("/account/activities", {"page_token": row["id"]}) == []
    refused(lambda: s.client.get("/account/activities", {"page_size": 500}), 422, 40010001, "the maximum is 100")


WATCHLIST_CALLS = {
    "create_watchlist",
    "get_watchlists",
    "get_watchlist_by_id",
    "update_watchlist_by_id",
    "add_asset_to_watchlist_by_id",
    "remove_asset_from_watchlist_by_id",
    "delete_watchlist_by_id",
}
RAW_CALLS = {"get", "post", "put", "patch", "delete", "response_wrapper"}  # what the others are made of
CALLS = [
    get_account, get_account_configurations, set_account_configurations, submit_order, get_orders, get_order_by_id,
    get_order_by_client_id, cancel_order_by_id, cancel_orders, replace_order_by_id,
    get_all_positions, get_open_position, close_position,
    close_all_positions, exercise_options_position, get_all_assets, get_asset, get_option_contracts, get_option_contract,
    get_clock, get_calendar, get_portfolio_history, get_corporate_announcements, get_corporate_announcement_by_id,
    watchlists, activities,
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_it_works(scene: Scene, call: Callable[[Scene], None]) -> None:
    call(scene)


def test_every_call_of_the_client_is_above() -> None:
    theirs = {name for name, _ in inspect.getmembers(TradingClient, inspect.isfunction) if not name.startswith("_")}
    assert theirs - RAW_CALLS - WATCHLIST_CALLS == {call.__name__ for call in CALLS} - {
        "watchlists",
        "activities",
    }
