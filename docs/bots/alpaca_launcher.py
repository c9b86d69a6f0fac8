"""Runs a program that is written for Alpaca's paper account against this server, without a change to it.

    python docs/bots/alpaca_launcher.py http://127.0.0.1:8000 bot.py its arguments

For programs on alpaca-py that leave no address to be set, such as `TradingClient(key, secret, paper=True)`: every client and
stream that they make gets this server's address. Key and secret they are given as always: the account's id, and a `cm_...` key.
Programs that send requests of their own, and not through alpaca-py, are left as they are.
"""

import functools
import runpy
import sys
from collections.abc import Callable
from typing import Any

from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import OptionDataStream, StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream


def point(kind: type, address: Callable[[dict[str, Any]], str]) -> None:
    """From now on each object of the kind is made with the address; which of several streams, its own arguments say."""
    make = kind.__init__

    @functools.wraps(make)
    def made(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **{**named, "url_override": address(named)})

    kind.__init__ = made


def feed_of(named: dict[str, Any], usual: str) -> str:
    """The feed that a stream is to have."""
    return str(getattr(named.get("feed"), "value", named.get("feed") or usual))


def point_all(server: str) -> None:
    """All clients and streams of alpaca-py."""
    streams = "ws" + server.removeprefix("http")
    for kind in (TradingClient, StockHistoricalDataClient, OptionHistoricalDataClient):
        point(kind, lambda named: server)
    point(TradingStream, lambda named: f"{streams}/stream")
    point(StockDataStream, lambda named: f"{streams}/v2/{feed_of(named, 'iex')}")
    point(OptionDataStream, lambda named: f"{streams}/v1beta1/{feed_of(named, 'indicative')}")


if __name__ == "__main__":
    point_all(sys.argv[1].rstrip("/"))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
