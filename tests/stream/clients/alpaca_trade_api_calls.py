"""Every call of alpaca-trade-api, the older Python client: run by test_other_clients.py in an environment of its own.

What it is to find: exchange time 14:04:30 of 7 October 2013; IBM at 104.30 x 104.40 with a quote each quarter of a minute since
14:00, whose bid is 100 + minute + second / 100; an account with 100,000 USD and nothing in it. Says each call that was as it should be.
"""

import inspect
import os
import sys
import threading
import time
from functools import partial

import requests
from alpaca_trade_api.rest import REST, APIError, TimeFrame, TimeFrameUnit
from alpaca_trade_api.stream import Stream

URL, KEY, SECRET, MARKET_KEY = (os.environ[name] for name in ("SERVER", "KEY_ID", "SECRET", "MARKET_KEY"))
DAY = "2013-10-07"
OCC = "IBM131019C00100000"
api = REST(KEY, SECRET, base_url=URL)
said: list[str] = []


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def refused(status, call):
    try:
        call()
    except APIError as error:
        same(error.status_code, status)
        assert error.code, "each error has Alpaca's code"
        return
    raise AssertionError("was not refused")


def everything(call, **wanted):
    """Also of a call that answers bit by bit."""
    return list(call(**wanted))


def near(found, wanted):
    assert abs(found - wanted) < 1e-6, f"{found} is not {wanted}"


def trading():
    account = api.get_account()
    same((account.status, account.cash, account.multiplier), ("ACTIVE", "100000.00", "1"))
    yield "get_account"
    same(api.get_clock().is_open, True)
    same(api.get_clock().timestamp.isoformat()[:19], f"{DAY}T10:04:30")
    yield "get_clock"
    same(
        [(str(day.date)[:10], str(day.close)[:5]) for day in api.get_calendar(DAY, "2013-10-08")],
        [(DAY, "16:00"), ("2013-10-08", "16:00")],
    )
    yield "get_calendar"
    same([asset.symbol for asset in api.list_assets(status="active", asset_class="us_equity")], ["IBM", "KO"])
    yield "list_assets"
    same((api.get_asset("IBM").tradable, api.get_asset("IBM").shortable), (True, False))
    refused(404, partial(api.get_asset, "O:NOTHING"))
    yield "get_asset"
    order = api.submit_order("IBM", qty=10, side="buy", type="market", time_in_force="day", client_order_id="one")
    order = api.get_order(order.id)
    same((order.status, order.filled_qty, order.filled_avg_price, order.symbol), ("filled", "10", "104.4", "IBM"))
    refused(422, partial(api.submit_order, "IBM", qty=1, client_order_id="one"))
    refused(403, partial(api.submit_order, "IBM", qty=10_000))
    refused(422, partial(api.submit_order, "IBM", notional=100))
    yield "submit_order"
    yield "get_order"
    same(api.get_order_by_client_order_id("one").id, order.id)
    yield "get_order_by_client_order_id"
    resting = api.submit_order("IBM", qty=5, side="buy", type="limit", time_in_force="gtc", limit_price=90)
    newer = api.replace_order(resting.id, qty="7", limit_price="91.5", client_order_id="newer")
    same((newer.qty, newer.limit_price, newer.replaces), ("7", "91.5", resting.id))
    same(api.get_order(resting.id).status, "replaced")
    yield "replace_order"
    same([row.id for row in api.list_orders(status="open", symbols=["IBM"], nested=True)], [newer.id])
    same(len(api.list_orders(status="all", direction="asc", limit=2)), 2)
    yield "list_orders"
    api.cancel_order(newer.id)
    same(api.get_order(newer.id).status, "canceled")
    refused(422, partial(api.cancel_order, newer.id))
    yield "cancel_order"
    api.submit_order("IBM", qty=5, side="buy", type="limit", time_in_force="gtc", limit_price=90)
    api.cancel_all_orders()
    same(api.list_orders(status="open"), [])
    yield "cancel_all_orders"
    position = api.get_position("IBM")
    same(
        (position.qty, position.side, position.avg_entry_price, position.market_value),
        ("10", "long", "104.4", "1043.00"),
    )
    refused(404, partial(api.get_position, "KO"))
    yield "get_position"
    same([row.symbol for row in api.list_positions()], ["IBM"])
    yield "list_positions"
    same((api.close_position("IBM", qty=4).side, api.get_position("IBM").qty), ("sell", "6"))
    yield "close_position"
    api.close_all_positions()
    same(api.list_positions(), [])
    yield "close_all_positions"
    fills = api.get_activities(activity_types="FILL", direction="asc")
    same(
        [(fill.side, fill.qty, fill.price) for fill in fills],
        [("buy", "10", "104.4"), ("sell", "4", "104.3"), ("sell", "6", "104.3")],
    )
    yield "get_activities"
    history = api.get_portfolio_history(period="1D", timeframe="1Min")
    assert len(history.timestamp) == len(history.equity) and history.base_value == 100_000
    yield "get_portfolio_history"
    same(api.get_account_configurations().no_shorting, True)
    yield "get_account_configurations"
    same(api.update_account_configurations(trade_confirm_email="none").trade_confirm_email, "none")
    yield "update_account_configurations"
    mine = api.create_watchlist("mine", symbols=["IBM"])
    yield "create_watchlist"
    same([asset["symbol"] for asset in api.add_to_watchlist(mine.id, "KO").assets], ["IBM", "KO"])
    yield "add_to_watchlist"
    api.delete_from_watchlist(mine.id, "IBM")
    same([asset["symbol"] for asset in api.get_watchlist(mine.id).assets], ["KO"])
    yield "delete_from_watchlist"
    yield "get_watchlist"
    same(api.update_watchlist(mine.id, name="others", symbols=["IBM"]).name, "others")
    yield "update_watchlist"
    # The client asks for `/watchlists?name=`, which is the list of all of them.
    same([row["name"] for row in api.get("/watchlists", {"name": "others"})], ["others"])
    api.get_watchlist_by_name("others")
    yield "get_watchlist_by_name"
    same([row.name for row in api.get_watchlists()], ["others"])
    yield "get_watchlists"
    api.delete_watchlist(mine.id)
    same(api.get_watchlists(), [])
    yield "delete_watchlist"


def data():
    start, minute = f"{DAY}T14:01:00Z", TimeFrame(1, TimeFrameUnit.Minute)
    table = api.get_bars("IBM", minute, start, adjustment="raw").df
    same([stamp.strftime("%H:%M") for stamp in table.index], ["14:01", "14:02", "14:03", "14:04"])
    near(table["open"].iloc[0], 101.05)
    near(table["close"].iloc[0], 101.50)
    same((int(table["volume"].iloc[0]), int(table["trade_count"].iloc[0])), (0, 4))
    yield "get_bars"
    same(len(list(api.get_bars_iter("IBM", minute, start, limit=2))), 2)
    yield "get_bars_iter"
    quotes = api.get_quotes("IBM", start, f"{DAY}T14:01:59Z").df
    same([round(value, 2) for value in quotes["bid_price"]], [101.0, 101.15, 101.3, 101.45])
    yield "get_quotes"
    same(len(list(api.get_quotes_iter(["IBM"], start, limit=3))), 3)
    yield "get_quotes_iter"
    near(api.get_trades("IBM", start, limit=1).df["price"].iloc[0], 101.05)
    yield "get_trades"
    same([trade.s for trade in api.get_trades_iter("IBM", start, limit=2)], [0, 0])
    yield "get_trades_iter"
    near(api.get_latest_bar("IBM").c, 103.50)
    yield "get_latest_bar"
    near(api.get_latest_bars(["IBM"])["IBM"].c, 103.50)
    yield "get_latest_bars"
    near(api.get_latest_trade("IBM").price, 104.35)
    yield "get_latest_trade"
    near(api.get_latest_trades(["IBM"])["IBM"].price, 104.35)
    yield "get_latest_trades"
    same((api.get_latest_quote("IBM").bp, api.get_latest_quote("IBM").ap), (104.3, 104.4))
    yield "get_latest_quote"
    same(api.get_latest_quotes(["IBM", "KO"])["KO"].ap, 0)
    yield "get_latest_quotes"
    near(api.get_snapshot("IBM").daily_bar.o, 100.05)
    yield "get_snapshot"
    near(api.get_snapshots(["IBM"])["IBM"].latest_trade.p, 104.35)
    yield "get_snapshots"
    same(list(api.get_news("IBM")), [])
    yield "get_news"
    same(list(api.get_news_iter("IBM")), [])
    yield "get_news_iter"
    for name, call in inspect.getmembers(api, inspect.ismethod):
        if "crypto" in name:  # no such market, and told so
            values = {"timeframe": minute, "symbols": ["BTC/USD"], "symbol": "BTC/USD"}
            wanted = {key: values[key] for key in inspect.signature(call).parameters if key in values}
            refused(404, partial(everything, call, **wanted))
            yield name


def streams():
    stream = Stream(KEY, SECRET, base_url=URL, data_stream_url=URL, data_feed="iex")
    seen = {name: [] for name in ("update", "quote", "trade", "bar")}

    def taking(name):
        async def take(thing):
            seen[name].append(thing)

        return take

    stream.subscribe_trade_updates(taking("update"))
    stream.subscribe_quotes(taking("quote"), "IBM")
    stream.subscribe_trades(taking("trade"), "IBM")
    stream.subscribe_bars(taking("bar"), "IBM")
    threading.Thread(target=stream.run, daemon=True).start()

    def wait_for(name, count):
        until = time.monotonic() + 90
        while len(seen[name]) < count:
            assert time.monotonic() < until, f"{name}: {seen}"
            time.sleep(0.05)

    wait_for("quote", 1)
    api.submit_order("IBM", qty=3)
    wait_for("update", 2)
    assert [update.event for update in seen["update"]][:2] == ["new", "fill"], seen["update"]
    same(seen["update"][1].order["filled_qty"], "3")

    def a_minute_passes():
        done = requests.post(f"{URL}/v1/market/clock/advance/", json={"seconds": 60}, timeout=20,
                             headers={"Authorization": f"Bearer {MARKET_KEY}"})  # fmt: skip
        assert done.status_code == 200, done.content

    a_minute_passes()
    wait_for("quote", 2), wait_for("trade", 2)
    near(seen["quote"][-1].bid_price, 105.3)
    near(seen["trade"][-1].price, 105.35)
    a_minute_passes()  # the one before was not seen from its beginning, and has no bar
    wait_for("bar", 1)
    same((seen["bar"][0].volume, seen["bar"][0].symbol, seen["bar"][0].open), (0, "IBM", 105.35))
    yield "stream"


def main():
    not_calls = {"close", "response_wrapper", "data_get", "get", "post", "put", "patch", "delete"}
    for part in (trading, data, streams):
        said.extend(part())
    calls = {name for name, _ in inspect.getmembers(REST, inspect.isfunction) if not name.startswith("_")} - not_calls
    same(calls - set(said), set())
    print(f"{len(calls)} calls, and the streams")
    sys.stdout.flush()
    os._exit(0)  # the stream's thread has no end of its own


main()
