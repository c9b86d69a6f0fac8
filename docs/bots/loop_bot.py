"""A bot by polling: wait for the open, buy dips and sell rises of one stock, and take every no for what it says.

python3 docs/bots/loop_bot.py --symbol AAPL --rounds 20
"""

import argparse
import time
from decimal import Decimal

from client import Client, Refused

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--symbol", default="AAPL")
arguments.add_argument("--qty", default="5")
arguments.add_argument("--rounds", type=int, default=20)
arguments.add_argument("--pause", type=float, default=1.0, help="seconds between looks")
options = arguments.parse_args()

client = Client()
account = client.open_account("loop bot")
client.wait_for_the_open()
last = None

for number in range(options.rounds):
    (quote,) = client.rows(f"/market/quotes/?symbols={options.symbol}")
    if quote["ask"] is None or quote["bid"] is None:
        print("no two-sided quote; looking again")
        time.sleep(options.pause)
        continue
    ask, bid = Decimal(quote["ask"]), Decimal(quote["bid"])
    side = "buy" if last is None or ask < last else "sell" if bid > last else None
    last = (ask + bid) / 2
    if side is None:
        time.sleep(options.pause)
        continue
    order = {"symbol": options.symbol, "qty": options.qty, "side": side, "type": "market", "time_in_force": "day"}
    try:
        # The id makes a retry safe: the same order sent twice is one order.
        order = client.call("POST", f"{account}/orders/", {**order, "client_order_id": f"loop-{number}"})
    except Refused as no:  # it was not taken, and left nothing
        print("refused:", no)
        continue
    if order["status"] == "rejected":  # it was taken, decided, and kept with its reason
        print(f"{side} rejected: {order['rejected_reason']}")
    elif order["status"] == "filled":
        print(f"{side} {order['filled_qty']} at {order['filled_avg_price']}")
    else:  # accepted, new or partially_filled: it works on, until it is filled or canceled
        print(f"{side} {order['status']}: {order['no_fill_reason'] or 'no reason yet'}; canceling it")
        try:
            client.call("DELETE", f"{account}/orders/{order['id']}/")
        except Refused as no:
            if no.code != "order_not_cancelable":  # else it was filled meanwhile
                raise
    time.sleep(options.pause)

summary = client.call("GET", f"{account}/account/")
print(f"equity {summary['equity']}, realized {summary['realized_pl']}, unrealized {summary['unrealized_pl']}")
