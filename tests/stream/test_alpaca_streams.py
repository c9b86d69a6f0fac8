"""Alpaca's streams, read by its own unmodified clients."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import websockets
from alpaca.data.enums import DataFeed, OptionsFeed
from alpaca.data.live import OptionDataStream, StockDataStream
from alpaca.trading.stream import TradingStream

from marketdata.quotes import Quote
from papertrade.stream import following
from papertrade.stream.market_data import CHANNELS
from tests.market_kit import CALL, STOCK
from tests.stack.server import wait_until
from tests.stream.conftest import Streamed, run

OCC = CALL.removeprefix("O:")
THEN = datetime(2013, 10, 7, 14, tzinfo=UTC)
LATER = THEN + timedelta(seconds=1)
QUOTE = Quote(STOCK, Decimal(100), Decimal("100.1"), Decimal(2), Decimal(3), THEN, "a feed", THEN, THEN, taken_at=THEN)
ENOUGH_SECONDS = 60.0


class Client:
    """A stream of alpaca-py in a thread, and what it was given."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.seen: list[Any] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=stream.run, daemon=True)

    async def take(self, thing: Any) -> None:
        with self._news:
            self.seen.append(thing)
            self._news.notify_all()

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, count: int, wanted: Callable[[Any], bool] = lambda thing: True) -> list[Any]:
        """The first so many that are wanted."""
        with self._news:
            self._news.wait_for(lambda: sum(map(wanted, self.seen)) >= count, ENOUGH_SECONDS)
            found = [thing for thing in self.seen if wanted(thing)]
        assert len(found) >= count, f"only {found} of {self.seen}"
        return found[:count]

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.stream.stop()
            # While nothing comes it looks every five seconds whether it is to stop.
            asyncio.run_coroutine_threadsafe(self.stream._ws.close(), self.stream._loop).result(5)
        self._thread.join(10)


@contextlib.contextmanager
def listening(stream: Any, subscribe: Callable[[Client], None], ready: Callable[[], bool]) -> Iterator[Client]:
    client = Client(stream)
    subscribe(client)
    client.start()
    try:
        wait_until(ready, "the stream listens")
        yield client
    finally:
        client.stop()


def trading_stream(streamed: Streamed) -> TradingStream:
    return TradingStream(streamed.key_id, streamed.secret, url_override=f"ws://{streamed.host}/stream")


def watched(streamed: Streamed) -> bool:
    from papertrade.stream.moves import moves

    return streamed.account.pk in moves._watching


def test_trade_updates_tell_each_step_of_an_order(streamed: Streamed) -> None:
    stream = trading_stream(streamed)
    with listening(stream, lambda c: stream.subscribe_trade_updates(c.take), lambda: watched(streamed)) as client:
        filled = streamed.desk.buy("10")
        resting = streamed.desk.buy("5", limit="90")
        streamed.desk.cancel(resting)
        updates = client.wait_for(4)
    assert [(update.event, update.order.id) for update in updates] == [
        ("new", filled.pk),
        ("fill", filled.pk),
        ("new", resting.pk),
        ("canceled", resting.pk),
    ]
    new, fill, *_, canceled = updates
    assert (fill.price, fill.qty, fill.position_qty) == (100.10, 10, 10)
    assert (fill.order.status, fill.order.filled_qty) == ("filled", "10")
    assert (new.order.status, new.order.filled_qty, new.order.filled_at) == ("accepted", "0", None), "as it stood then"
    assert canceled.order.canceled_at is not None


def test_an_order_that_fills_in_parts_is_told_in_parts(streamed: Streamed) -> None:
    stream = trading_stream(streamed)
    streamed.market.play("13:59:59 IBM 100.00 100.10 500 300", "14:00:10 IBM 100.00 100.20 500 900", start="14:00:00")
    with listening(stream, lambda c: stream.subscribe_trade_updates(c.take), lambda: watched(streamed)) as client:
        streamed.desk.buy("400", limit="100.20")
        streamed.market.advance("14:00:11")
        part, rest = client.wait_for(2, lambda update: "fill" in update.event)
    assert (part.event, part.qty, part.order.status, part.order.filled_qty) == (
        "partial_fill",
        300,
        "partially_filled",
        "300",
    )
    assert (rest.event, rest.qty, rest.position_qty, rest.order.filled_qty) == ("fill", 100, 400, "400")


def test_quotes_trades_and_bars_of_stocks(streamed: Streamed) -> None:
    stream = StockDataStream(
        streamed.key_id, streamed.secret, feed=DataFeed.IEX, url_override=f"ws://{streamed.host}/v2/iex"
    )

    def subscribe(client: Client) -> None:
        stream.subscribe_quotes(client.take, STOCK)
        stream.subscribe_trades(client.take, STOCK)
        stream.subscribe_bars(client.take, STOCK)

    def kind(name: str) -> Callable[[Any], bool]:
        return lambda thing: type(thing).__name__ == name

    with listening(stream, subscribe, lambda: stream._running) as client:
        [quote], [trade] = client.wait_for(1, kind("Quote")), client.wait_for(1, kind("Trade"))
        streamed.market.advance("14:01:05")
        [bar] = client.wait_for(1, kind("Bar"))
        later = client.wait_for(2, kind("Quote"))[-1]
    assert (quote.symbol, quote.bid_price, quote.ask_price, quote.bid_size) == (STOCK, 100.0, 100.1, 500)
    assert (trade.price, trade.size, trade.conditions) == (100.05, 0, ["M"])
    assert (bar.open, bar.volume, bar.timestamp.isoformat()) == (100.05, 0, "2013-10-07T14:00:00+00:00")
    assert quote.timestamp < later.timestamp <= streamed.market.now(), "never a quote from later than now"


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({}, False),
        ({"taken_at": LATER}, False),  # the market took the same one again
        ({"quoted_at": LATER}, True),
        ({"ask": Decimal("100.2")}, True),  # a provider may stamp several with one time
        ({"bid_size": Decimal(3)}, True),
        ({"bid": None}, True),
    ],
    ids=str,
)
def test_a_quote_is_sent_again_where_it_says_something_else(change: dict[str, Any], is_another: bool) -> None:
    version = CHANNELS["quotes"].version
    assert (version(replace(QUOTE, **change)) != version(QUOTE)) is is_another


def test_quotes_of_options(streamed: Streamed) -> None:
    stream = OptionDataStream(
        streamed.key_id,
        streamed.secret,
        feed=OptionsFeed.INDICATIVE,
        url_override=f"ws://{streamed.host}/v1beta1/indicative",
    )
    with listening(stream, lambda c: stream.subscribe_quotes(c.take, OCC), lambda: stream._running) as client:
        [quote] = client.wait_for(1)
    assert (quote.symbol, quote.bid_price, quote.ask_price, quote.ask_size) == (OCC, 4.0, 4.2, 10)


class GoEvents:
    """How the Go client asks for trade updates."""

    def __init__(self, streamed: Streamed) -> None:
        self.url = f"http://{streamed.host}/v2/events/trades"
        self.headers = {"APCA-API-KEY-ID": streamed.key_id, "APCA-API-SECRET-KEY": streamed.secret}
        self.ids: list[str] = []

    def read(self, count: int, **query: str) -> list[tuple[str, str]]:
        """Of so many updates, or all until the server ends, the event and the order."""
        found, self.ids = [], []
        with httpx.stream("GET", self.url, params=query, headers=self.headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    update = json.loads(line.removeprefix("data: "))
                    found.append((update["event"], update["order"]["id"]))
                    self.ids.append(update["event_id"])
                if len(found) == count:
                    break
        return found


class TestTheWire:
    """What the clients above hide."""

    def test_data_in_json(self, streamed: Streamed) -> None:
        async def talk() -> list[Any]:
            import json

            async with websockets.connect(f"ws://{streamed.host}/v2/sip") as socket:
                said = [json.loads(await socket.recv())]
                for message in (
                    {"action": "subscribe", "quotes": [STOCK]},
                    {"action": "auth", "key": streamed.key_id, "secret": streamed.secret},
                    {"action": "subscribe", "quotes": ["ibm"], "dailyBars": []},
                    {"action": "subscribe", "quotes": ["IBM"]},
                ):
                    await socket.send(json.dumps(message))
                    said.append(json.loads(await socket.recv()))
                while len(said) < 6:
                    said.append(json.loads(await socket.recv()))
                return said

        connected, refused, let_in, *rest = run(talk())
        assert connected == [{"T": "success", "msg": "connected"}]
        assert (refused[0]["code"], refused[0]["msg"]) == (401, "not authenticated")
        assert let_in == [{"T": "success", "msg": "authenticated"}]
        subscriptions = [message for message in rest if message[0]["T"] == "subscription"]
        assert [message[0]["quotes"] for message in subscriptions] == [["IBM"], ["IBM"]], "the same twice is one"
        [[quote]] = [message for message in rest if message[0]["T"] == "q"]
        assert (quote["S"], quote["bp"], quote["t"]) == ("IBM", 100.0, "2013-10-07T14:00:00.000000Z")

    @pytest.mark.parametrize("path", ["/v2/iex", "/v1beta1/indicative"])
    def test_a_wrong_key_is_told_and_let_go(self, streamed: Streamed, path: str) -> None:
        import msgpack

        async def talk() -> Any:
            headers = {"Content-Type": "application/msgpack"}
            async with websockets.connect(f"ws://{streamed.host}{path}", additional_headers=headers) as socket:
                await socket.recv()
                await socket.send(msgpack.packb({"action": "auth", "key": streamed.key_id, "secret": "cm_nobody"}))
                told = msgpack.unpackb(await socket.recv())
                with contextlib.suppress(websockets.ConnectionClosed):
                    await socket.recv()
                    raise AssertionError("it should be closed")
                return told

        assert run(talk())[0]["code"] == 402

    def test_the_trading_stream_says_nothing_first_and_refuses_by_name(self, streamed: Streamed) -> None:
        import json

        async def talk() -> list[Any]:
            async with websockets.connect(f"ws://{streamed.host}/stream/") as socket:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(socket.recv(), 0.3)
                said = []
                for message in (
                    {"action": "listen", "data": {"streams": ["trade_updates"]}},
                    {"action": "authenticate", "data": {"key_id": streamed.key_id, "secret_key": streamed.secret}},
                    {"action": "listen", "data": {"streams": ["trade_updates", "account_updates"]}},
                    {"action": "listen", "data": {"streams": ["trade_updates"]}},
                ):
                    await socket.send(json.dumps(message))
                    said.append(json.loads(await socket.recv()))
                return said

        refused, authorized, first, again = run(talk())
        assert refused["data"] == {"status": "unauthorized", "action": "listen"}
        assert authorized["data"] == {"status": "authorized", "action": "authenticate"}
        assert first == again == {"stream": "listening", "data": {"streams": ["trade_updates"]}}

    def test_events_of_trades_as_the_go_client_asks_for_them(
        self, streamed: Streamed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It reads lines, leaves out those without `data: `, and goes on from the last `event_id`."""
        monkeypatch.setattr(following, "EVENTS_A_READ", 2)  # a read of which little is shown is not the last
        first, second = streamed.desk.buy("10"), streamed.desk.buy("5")
        stories = [(word, str(order.pk)) for order in (first, second) for word in ("new", "fill")]
        told = GoEvents(streamed)
        assert told.read(4, since_id="0") == stories
        assert told.ids == sorted(told.ids)
        assert told.read(2, since_id=told.ids[1]) == stories[2:]
        assert told.read(4, since="2013-10-07T13:00:00Z") == stories
        # With an end that is past the server ends the answer by itself.
        assert told.read(99, since_id="0", until_id=told.ids[2]) == stories[:3]
        assert told.read(99, since="2013-10-07", until="2013-10-07T14:00:00Z") == stories
        assert told.read(99, since_id="0", until="2013-10-07T13:59:59Z") == []
        streamed.market.advance("14:00:30")
        third = streamed.desk.buy("1", limit="50")
        assert told.read(1, since="2013-10-07T14:00:30Z", until_id=f"{10**9}") == [("new", str(third.pk))]

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({"since_id": "01HRTT6JQ3E1B8R2G8X4TRZ9QN"}, 422, 40010001),
            ({"since_id": "1", "since": "2013-10-07"}, 422, 40010001),
            ({"until": "soon"}, 422, 40010001),
            ({}, 401, 40110000),
        ],
    )
    def test_events_that_cannot_be_told(
        self, streamed: Streamed, query: dict[str, str], status: int, code: int
    ) -> None:
        headers = GoEvents(streamed).headers if query else {}
        refused = httpx.get(f"http://{streamed.host}/v2/events/trades", params=query, headers=headers, timeout=60)
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
