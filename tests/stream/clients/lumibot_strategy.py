"""A strategy of Lumibot's on its broker for Alpaca, behind docs/bots/alpaca_launcher.py: run by test_other_clients.py in an
environment of its own.

It buys in each of two iterations, as Lumibot may not tell what happens in the first, cancels an order that waits, reads a chain,
and sells all. Market hours are by Lumibot's own clock and not the exchange's, hence "24/7".
"""

import os
import sys
import threading

os.environ |= {"LUMIBOT_DISABLE_DOTENV": "true", "LUMIBOT_HIDE_BOTSPOT_TIP": "1"}

from lumibot.brokers import Alpaca
from lumibot.entities import Asset
from lumibot.strategies import Strategy
from lumibot.traders import Trader

KEY_ID, SECRET = sys.argv[1:]
SYMBOL, CONTRACT_EXPIRY = "IBM", "2013-10-19"
END_SECONDS = 60


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


class BuysAndSells(Strategy):
    def initialize(self):
        self.set_market("24/7")
        self.sleeptime = "1S"
        self.iteration, self.told = 0, set()
        same((self.cash, self.portfolio_value), (100_000.0, 100_000.0))

    def on_trading_iteration(self):
        self.iteration += 1
        [self.first, self.second, self.third, self.end][self.iteration - 1]()

    def first(self):
        same(round(self.get_last_price(SYMBOL), 2), 104.35)  # where nothing is traded, the middle of a quote
        quote = self.get_quote(Asset(SYMBOL))
        same((quote.bid, quote.ask), (104.3, 104.4))
        self.submit_order(self.create_order(SYMBOL, 3, "buy"))

    def second(self):
        same([(held.asset.symbol, held.quantity) for held in self.get_positions()], [(SYMBOL, 3)])
        self.submit_order(self.create_order(SYMBOL, 2, "buy"))
        self.waiting = self.submit_order(self.create_order(SYMBOL, 1, "buy", limit_price=90.0))
        chains = self.get_chains(Asset(SYMBOL))["Chains"]
        same(chains["CALL"], {CONTRACT_EXPIRY: [100.0]})

    def third(self):
        same([(held.asset.symbol, held.quantity) for held in self.get_positions()], [(SYMBOL, 5)])
        self.cancel_order(self.waiting)
        self.sell_all()

    def end(self):
        same(self.get_positions(), [])
        same(round(self.cash, 2), 99_999.5)  # five shares, a spread of 0.10 each
        same(self.told - {"filled buy 3"}, {"filled buy 2", "canceled buy 1", "filled sell 5"})
        finish("4 iterations", 0)

    def on_filled_order(self, position, order, price, quantity, multiplier):
        self.told.add(f"filled {order.side} {quantity:g}")

    def on_canceled_order(self, order):
        self.told.add(f"canceled {order.side} {order.quantity:g}")

    def on_bot_crash(self, error):
        finish(repr(error), 1)


def finish(words, code):
    """Lumibot's threads never end by themselves."""
    print(words, flush=True)
    os._exit(code)


timer = threading.Timer(END_SECONDS, finish, ("too late", 1))
timer.daemon = True
timer.start()
trader = Trader(quiet_logs=True)
trader.add_strategy(BuysAndSells(broker=Alpaca({"API_KEY": KEY_ID, "API_SECRET": SECRET, "PAPER": True})))
trader.run_all()
