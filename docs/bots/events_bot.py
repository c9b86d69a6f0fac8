"""A bot by events: one list, numbered without gaps, has everything that happens to an account. Nothing is missed or seen twice.

python3 docs/bots/events_bot.py --symbol MSFT --seconds 10
"""

import argparse
import time
from decimal import Decimal

from client import Client

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--symbol", default="MSFT")
arguments.add_argument("--seconds", type=float, default=10)
options = arguments.parse_args()

client = Client()
account = client.open_account("events bot")
client.wait_for_the_open()
(quote,) = client.rows(f"/market/quotes/?symbols={options.symbol}")
ask = Decimal(quote["ask"])

# One order that fills, and one far from the market that stays.
base = {"symbol": options.symbol, "side": "buy", "time_in_force": "day"}
client.call("POST", f"{account}/orders/", {**base, "qty": "3", "type": "market", "client_order_id": "now"})
far = {"qty": "1", "type": "limit", "limit_price": str(round(ask / 2, 2)), "client_order_id": "far"}
waiting = client.call("POST", f"{account}/orders/", {**base, **far})

seen = 0  # keep this number: after a restart the bot goes on where it was
ends = time.monotonic() + options.seconds
while time.monotonic() < ends:
    for event in client.rows(f"{account}/events/?after_seq={seen}"):
        seen = event["seq"]
        print(event["seq"], event["type"], event["symbol"] or "", event["status"] or "", event["reason"] or "")
        if event["type"] == "order_filled":  # the reaction: protect what was bought with a sell above it
            sell = {"symbol": options.symbol, "qty": "3", "side": "sell", "type": "limit", "time_in_force": "gtc"}
            sell["limit_price"] = str(round(ask * Decimal("1.01"), 2))
            client.call("POST", f"{account}/orders/", {**sell, "client_order_id": f"protect-{seen}"})
    time.sleep(0.5)

client.call("DELETE", f"{account}/orders/{waiting['id']}/")
print("open orders left:", [order["client_order_id"] for order in client.rows(f"{account}/orders/?status=open")])
