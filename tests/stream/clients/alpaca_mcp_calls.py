"""Tools of Alpaca's MCP server, pointed here by docs/bots/alpaca_mcp.py: run by test_other_clients.py in an environment of its own.

It finds what alpaca_trade_api_calls.py finds.
"""

import asyncio
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import alpaca_mcp

os.environ.update(ALPACA_API_KEY=os.environ["KEY_ID"], ALPACA_SECRET_KEY=os.environ["SECRET"])
alpaca_mcp.point(os.environ["SERVER"])

ORDER = {
    "symbol": "IBM",
    "side": "buy",
    "qty": "3",
    "type": "market",
    "time_in_force": "day",
    "client_order_id": "by-an-agent",
}
OCC = "IBM131019C00100000"
# Each tool, what it is given, and what of its answer must be so.
CALLS = [
    ("get_account_info", {}, lambda account: account["cash"] == "100000.00"),
    ("get_clock", {}, lambda clock: clock["is_open"]),
    ("get_all_assets", {}, lambda assets: [asset["symbol"] for asset in assets["result"]] == ["IBM", "KO"]),
    ("place_stock_order", ORDER, lambda order: order["symbol"] == "IBM"),
    ("get_order_by_client_id", {"client_order_id": "by-an-agent"}, lambda order: order["filled_avg_price"] == "104.4"),
    ("get_all_positions", {}, lambda held: [row["qty"] for row in held["result"]] == ["3"]),
    ("get_orders", {"status": "all"}, lambda orders: len(orders["result"]) == 1),
    ("get_stock_latest_quote", {"symbols": "IBM"}, lambda found: found["quotes"]["IBM"]["bp"] == 104.3),
    (
        "get_stock_bars",
        {"symbols": "IBM", "timeframe": "1Min", "start": "2013-10-07T14:01:00Z"},
        lambda found: found["bars"]["IBM"][0]["c"] == 101.5,
    ),
    ("get_option_chain", {"underlying_symbol": "IBM"}, lambda found: list(found["snapshots"]) == [OCC]),
    ("close_all_positions", {}, lambda closed: [row["status"] for row in closed["result"]] == [200]),
    ("get_portfolio_history", {"period": "1D", "timeframe": "1Min"}, lambda history: history["base_value"] == 100_000),
]


async def main() -> None:
    from alpaca_mcp_server import server  # as it stands after it was pointed here
    from fastmcp import Client

    async with Client(server.build_server()) as client:
        for name, given, is_so in CALLS:
            answer = await client.call_tool(name, given)
            data = json.loads(answer.content[0].text)["data"]
            assert is_so(data), (name, data)
    print(f"{len(CALLS)} tools")


asyncio.run(main())
