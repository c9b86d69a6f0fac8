"""An option bot: choose a contract out of today's chain, look at a preview, buy it at a limit, sell it again.

python3 docs/bots/option_bot.py --underlying SPY
"""

import argparse
import time
from datetime import date, timedelta

from client import Client

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--underlying", default="SPY")
arguments.add_argument("--days", type=int, default=14, help="days to expiry, at least")
arguments.add_argument("--wait", type=int, default=20, help="looks at the working order before it is canceled")
options = arguments.parse_args()

client = Client()
account = client.open_account("option bot")
client.wait_for_the_open()

# A contract's symbol is never made up: the chain lists those that trade now.
today = date.fromisoformat(client.call("GET", "/market/clock/")["timestamp"][:10])
earliest = today + timedelta(days=options.days)
(stock,) = client.rows(f"/market/quotes/?symbols={options.underlying}")
spot = float(stock["ask"])
chain = list(
    client.rows(f"/options/chain/{options.underlying}/?contract_type=call&expiration_date.gte={earliest}&limit=250")
)
nearest = min(chain, key=lambda item: (item["details"]["expiration_date"], abs(item["details"]["strike_price"] - spot)))
symbol = nearest["details"]["ticker"]
print(f"{len(chain)} calls from {earliest} on; at the money: {symbol}")

(quote,) = client.rows(f"/market/quotes/?symbols={symbol}")
order = {
    "symbol": symbol,
    "qty": "1",
    "side": "buy",
    "type": "limit",
    "limit_price": quote["ask"],
    "time_in_force": "day",
    "position_intent": "buy_to_open",
    "client_order_id": "option-1",
}
preview = client.call("POST", f"{account}/orders/preview/", order)
print("it would buy", preview["would_fill_qty"], "now for", preview["estimated_cost"], preview["reason"])

order = client.call("POST", f"{account}/orders/", order)
for _ in range(options.wait):
    if order["status"] not in ("accepted", "new", "partially_filled"):
        break
    time.sleep(1)
    order = client.call("GET", f"{account}/orders/{order['id']}/")
print(
    "bought" if order["status"] == "filled" else order["status"],
    order["rejected_reason"] or order["no_fill_reason"] or "",
)

if order["status"] == "filled":
    sold = client.call("DELETE", f"{account}/positions/{symbol}/")  # closes at the market
    print("sold:", sold["status"], sold["filled_avg_price"])
elif order["status"] != "rejected":
    client.call("DELETE", f"{account}/orders/{order['id']}/")
