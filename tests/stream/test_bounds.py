"""What a stream bears: messages that cannot be, clients of one symbol, strangers, slow readers, revoked keys, a database away."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import wraps
from itertools import count
from typing import Any

import httpx
import pytest
import websockets
from django.db import OperationalError, connection

from accounts import services
from accounts.models import ApiKey
from accounts.services import revoke_key
from marketdata.quotes import Quote
from papertrade.lib import strangers
from papertrade.stream import STREAMS, account_events, following, identity, market_data, moves, sockets, trade_updates
from papertrade.stream.pace import Pace
from papertrade.stream.quote_look import look
from papertrade.web import limits
from papertrade.web.places import Watch
from papertrade.web.refusals import BUSY
from tests.market_kit import STOCK
from tests.stream.conftest import Streamed, run
from tests.stream.test_account_events import Reader, listed
from tests.stream.test_alpaca_streams import GoEvents
from tests.web.test_connections import frame, until

DATA, TRADES = "/v2/iex", "/stream"
POLICY, TRY_AGAIN = 1008, 1013


async def beside_the_loop(call: Callable[..., Any], *arguments: Any) -> None:
    """On a thread, whose database connection is given back."""

    def called() -> None:
        try:
            call(*arguments)
        finally:
            connection.close()

    await asyncio.to_thread(called)


class Talk:
    """A client of a WebSocket in JSON."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> Any:
        """What is answered; of what else comes meanwhile nothing is lost that is waited for below."""
        await self.connection.send(json.dumps(message))
        return await self.hear(lambda told: not isinstance(told, list) or told[0]["T"] not in "qtb")

    async def hear(self, wanted: Callable[[Any], bool] = lambda told: True) -> Any:
        """The next message of those that are wanted."""
        while True:
            told = json.loads(await self.connection.recv())
            if wanted(told):
                return told

    async def quote(self) -> str:
        """When the next quote is of."""
        [told] = await self.hear(lambda told: isinstance(told, list) and told[0]["T"] == "q")
        return str(told["t"])

    async def ends(self) -> tuple[int, str]:
        """With which code and reason the server closes."""
        with suppress(websockets.ConnectionClosed):
            while True:
                await self.connection.recv()
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def talking(streamed: Streamed, path: str, secret: str = "") -> AsyncIterator[Talk]:
    """A client that has said who it is, where a secret is given or its own is good."""
    async with websockets.connect(f"ws://{streamed.host}{path}") as connection:
        talk = Talk(connection)
        if path == DATA:
            await talk.hear()
        if secret != "none":
            with suppress(websockets.ConnectionClosed):
                await talk.say(action="auth", key=streamed.key_id, secret=secret or streamed.secret)
        yield talk


def test_two_clients_of_one_symbol(streamed: Streamed) -> None:
    """What one cannot have, gives up, or leaves behind, is nothing to the other."""

    async def talk() -> None:
        async with talking(streamed, DATA) as healthy:
            await healthy.say(action="subscribe", quotes=[STOCK], trades=["KO"])
            assert await healthy.quote() == "2013-10-07T14:00:00.000000Z"
            async with talking(streamed, DATA) as other:
                [told] = await other.say(action="subscribe", trades=[STOCK], quotes=STOCK)
                assert told["code"] == 400
                [told] = await other.say(action="subscribe", quotes=[STOCK])
                assert (told["quotes"], told["trades"]) == ([STOCK], [])
                assert await other.quote() == "2013-10-07T14:00:00.000000Z"
                [told] = await other.say(action="subscribe", quotes=[f"S{n}" for n in range(1_000)])
                assert (told["code"], told["msg"]) == (405, "symbol limit exceeded")
                [told] = await other.say(action="subscribe", quotes=[f"S{n}" for n in range(10_000)])
                assert told["code"] == 405
                [told] = await other.say(action="subscribe")
                assert told["quotes"] == [STOCK], "what stood stands"
                assert look._wanted == {STOCK: 2, "KO": 1}
                await beside_the_loop(streamed.market.advance, "14:00:10")
                assert await other.quote() == "2013-10-07T14:00:10.000000Z"
                [told] = await other.say(action="unsubscribe", quotes=[STOCK])
                [told] = await other.say(action="subscribe", bars=["*"])
                assert (told["quotes"], told["bars"]) == ([], ["*"])
            while look._wanted != {STOCK: 1, "KO": 1}:
                await asyncio.sleep(0.01)
            assert await healthy.quote() == "2013-10-07T14:00:10.000000Z"
            await beside_the_loop(streamed.market.advance, "14:00:20")
            assert await healthy.quote() == "2013-10-07T14:00:20.000000Z"
            # A client who gives a thing up and wants it again is told it again.
            await healthy.say(action="unsubscribe", quotes=[STOCK])
            await healthy.say(action="subscribe", quotes=["*"])
            assert await healthy.quote() == "2013-10-07T14:00:20.000000Z"

    run(talk())


def test_what_nobody_wants_any_more_is_forgotten_also_where_somebody_wants_everything(streamed: Streamed) -> None:
    """A symbol that is not listed, and so none of `*`, but while another client watches it."""

    async def watched(everything: Talk, quote: Quote) -> None:
        async with talking(streamed, DATA) as other:
            await other.say(action="subscribe", bars=["KO"])
            while "KO" not in look._whole_from:
                await asyncio.sleep(0.01)
            look._looking.get_loop().call_soon_threadsafe(look.quotes.__setitem__, "KO", quote)
            await everything.hear(lambda told: told[0]["T"] == "q" and told[0]["S"] == "KO")
        while "KO" in look._whole_from or "KO" in look.quotes:
            await asyncio.sleep(0.01)

    async def talk() -> None:
        async with talking(streamed, DATA) as everything:
            await everything.say(action="subscribe", quotes=["*"])
            await everything.quote()
            quote = look.quotes[STOCK]
            await watched(everything, quote)
            await beside_the_loop(streamed.market.advance, "14:00:10")
            assert await everything.quote() == "2013-10-07T14:00:10.000000Z"
            assert STOCK in look._whole_from
            await watched(everything, quote)  # as if it had never been: it is told again

    run(talk())


@pytest.mark.parametrize(("path", "told"), [(DATA, (POLICY, "auth timeout")), (TRADES, (POLICY, "auth timeout"))])
def test_whatever_a_stranger_says_he_has_one_deadline(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch, path: str, told: tuple[int, str]
) -> None:
    monkeypatch.setattr(limits, "IDENTIFY_SECONDS", 0.6)

    async def talk() -> tuple[int, str]:
        async with talking(streamed, path, secret="none") as stranger:
            with suppress(websockets.ConnectionClosed):
                while True:
                    await stranger.connection.send(json.dumps({"action": "listen", "data": {"streams": []}}))
                    await asyncio.sleep(0.1)
            return await stranger.ends()

    assert run(talk()) == told


@pytest.mark.parametrize("path", [DATA, TRADES])
def test_a_stranger_who_talks_is_heard_less_and_less(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(limits, "IDENTIFY_SECONDS", 0.6)
    monkeypatch.setattr(sockets, "PAUSE_SECONDS", 60.0)

    async def talk() -> list[Any]:
        async with websockets.connect(f"ws://{streamed.host}{path}") as connection:
            for _ in range(20):
                await connection.send(json.dumps({"action": "listen", "data": {"streams": []}}))
            heard: list[Any] = []
            with suppress(websockets.ConnectionClosed):
                while True:
                    heard.append(await connection.recv())
            return heard

    *_, answer, last_word = heard = run(talk())
    assert len(heard) == (3 if path == DATA else 2), "of data a greeting comes first"
    assert ("unauthorized" in answer or "not authenticated" in answer) and "auth timeout" in last_word


def test_a_user_has_a_pace() -> None:
    pace = Pace(at_once=3, a_second=2.0)
    assert [pace.seconds_to_wait(1, 10.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]
    assert pace.seconds_to_wait(2, 10.0) == 0.0, "a user of its own"
    assert pace.seconds_to_wait(1, 10.5) == 1.0
    assert [pace.seconds_to_wait(1, 100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5], "rested"
    for user in range(10):
        pace.seconds_to_wait(user, 200.0 + 10.0 * user)
    assert len(pace._rested_at) <= 4, "who has rested is forgotten"


@pytest.mark.parametrize(
    ("path", "message"),
    [(DATA, {"action": "subscribe", "quotes": [STOCK]}), (TRADES, {"action": "listen", "data": {"streams": []}})],
    ids=["data", "trades"],
)
def test_all_connections_of_a_user_are_obeyed_at_his_pace(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch, path: str, message: dict[str, Any]
) -> None:
    monkeypatch.setattr(sockets, "pace", Pace(at_once=1, a_second=1 / 60))

    async def talk() -> None:
        async with talking(streamed, path) as one, talking(streamed, path) as other:
            assert await one.say(**message)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await other.say(**message)

    run(talk())


# How somebody with a secret asks for each stream, and what he is told: a status, or code and reason of the end.
async def _of_data(streamed: Streamed, secret: str) -> Any:
    return await _socket(streamed, DATA, secret)


async def _of_trades(streamed: Streamed, secret: str) -> Any:
    return await _socket(streamed, TRADES, secret)


async def _socket(streamed: Streamed, path: str, secret: str) -> Any:
    async with talking(streamed, path, secret) as client:
        return await client.ends()


async def _of_events(streamed: Streamed, secret: str) -> Any:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {secret}"}
    return await _get(f"http://{streamed.host}/v1/paper/accounts/{streamed.key_id}/events/", headers)


async def _of_go(streamed: Streamed, secret: str) -> Any:
    headers = {"APCA-API-KEY-ID": streamed.key_id, "APCA-API-SECRET-KEY": secret}
    return await _get(f"http://{streamed.host}/v2/events/trades", headers)


async def _get(url: str, headers: dict[str, str]) -> Any:
    async with httpx.AsyncClient(timeout=60) as client, client.stream("GET", url, headers=headers) as answer:
        if answer.status_code != 200:
            assert json.loads(await answer.aread())
        assert ("retry-after" in answer.headers) == (answer.status_code == 503) or answer.status_code == 429
        return answer.status_code


ASKING: dict[Any, Callable[[Streamed, str], Awaitable[Any]]] = {
    account_events.application: _of_events,
    trade_updates.event_stream: _of_go,
    trade_updates.socket: _of_trades,
    market_data.application: _of_data,
}
# To each: an unknown key, a stranger too many, a user with too many streams, a database that is away.
CROWDED = "too many requests without a valid key from this address"
TOLD: dict[Any, tuple[Any, Any, Any, Any]] = {
    account_events.application: (401, 429, 429, 503),
    trade_updates.event_stream: (401, 429, 429, 503),
    trade_updates.socket: (
        (POLICY, "unauthorized"),
        (POLICY, CROWDED),
        (POLICY, "You have 0 streams open; end one first."),
        (TRY_AGAIN, BUSY.message),
    ),
    market_data.application: (
        (POLICY, "auth failed"),
        (POLICY, "connection limit exceeded"),
        (POLICY, "connection limit exceeded"),
        (TRY_AGAIN, BUSY.message),
    ),
}


def test_every_stream_is_asked_for_below() -> None:
    assert set(ASKING) == set(TOLD) == {application for _, application in STREAMS}


@pytest.mark.parametrize(
    "stream", ASKING, ids=lambda stream: f"{stream.__module__.rpartition('.')[2]}.{stream.__name__}"
)
def test_who_gets_no_stream(streamed: Streamed, settings: Any, monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    """Strangers and streams are counted before anything is looked up; who is known, or comes when all is well, is let in."""
    unknown, crowded, no_seat, away = TOLD[stream]
    looked_up: list[Any] = []
    real = services.connected_batch

    def counted() -> Any:
        looked_up.append(stream)
        return real()

    async def failing(*_: Any, **__: Any) -> Any:
        raise OperationalError("it is away")

    async def busy(*_: Any, **__: Any) -> Any:
        raise BUSY

    async def ask() -> None:
        monkeypatch.setattr(services, "connected_batch", counted)
        monkeypatch.setattr(limits, "HOLD_SECONDS", 0.05)
        monkeypatch.setattr(strangers.door, "counts", strangers.Counts())
        monkeypatch.setattr(strangers.door, "known", strangers.Known())
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(identity, "MAX_STREAMS_OF_A_USER", 0)
            assert await ASKING[stream](streamed, streamed.secret) == no_seat
            assert looked_up == []
        settings.PAPERTRADE_STRANGER_LIMIT_MINUTE = 2
        assert [await ASKING[stream](streamed, f"cm_{number}") for number in range(2)] == [unknown] * 2
        assert looked_up == [stream] * 2
        assert await ASKING[stream](streamed, "cm_third") == crowded
        assert looked_up == [stream] * 2
        for fault in (failing, busy):
            monkeypatch.setattr(moves.patient, "run", fault)
            settings.PAPERTRADE_STRANGER_LIMIT_MINUTE = None
            assert await ASKING[stream](streamed, streamed.secret) == away

    monkeypatch.setattr(strangers, "wall_seconds", lambda: 1_000_000)
    run(ask())


def test_a_key_that_is_revoked_ends_a_socket_that_says_nothing_and_lets_none_begin(
    streamed: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoke() -> None:
        [key] = ApiKey.objects.filter(user=streamed.account.user, revoked_at=None)
        revoke_key(user=streamed.account.user, key_id=key.pk)

    async def talk() -> list[tuple[int, str]]:
        async with talking(streamed, TRADES) as late:
            await late.say(action="nothing")  # answered, so its next check is far away already
            monkeypatch.setattr(following, "CHECK_SECONDS", 0.2)
            async with talking(streamed, TRADES) as idle, talking(streamed, DATA) as data:
                await asyncio.sleep(0.5)  # more than one check that finds it good
                await beside_the_loop(revoke)
                ends = [await idle.ends(), await data.ends()]
            await late.connection.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            return [*ends, await late.ends()]

    monkeypatch.setattr(following, "_streams", count())  # the first is due as late as can be
    revoked = (POLICY, "the key was revoked")
    assert run(talk()) == [revoked, (POLICY, "auth failed"), revoked]


def test_streams_bear_a_database_that_is_away(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a read nor a look at the key ends them, and nothing is lost or told twice."""
    monkeypatch.setattr(following, "AFTER_A_FAULT_SECONDS", 0.05)
    monkeypatch.setattr(following, "CHECK_SECONDS", 0.1)
    is_away, faults = threading.Event(), []

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def call(*arguments: Any) -> Any:
            if is_away.is_set():
                faults.append(real)
                raise OperationalError("it is away")
            return real(*arguments)

        return call

    turns: set[tuple[str, bytes]] = set()
    patiently: set[str] = set()
    real_run, real_patience = moves.lane.run, moves.patient.run

    async def run_of(call: Any, *arguments: Any, whose: bytes = b"") -> Any:
        turns.add((call.__name__, whose))
        return await real_run(call, *arguments, whose=whose)

    async def run_patiently(call: Any, *arguments: Any, whose: bytes) -> Any:
        patiently.add(call.__name__)
        return await real_patience(call, *arguments, whose=whose)

    monkeypatch.setattr(moves.lane, "run", run_of)
    monkeypatch.setattr(moves.patient, "run", run_patiently)
    monkeypatch.setattr(following, "read", failing(following.read))
    monkeypatch.setattr(trade_updates, "check_key", failing(trade_updates.check_key))
    monkeypatch.setattr(account_events, "account_of", failing(account_events.account_of))
    seen: list[Any] = []
    first = streamed.desk.buy("10")
    readers = [
        threading.Thread(target=lambda: seen.append(Reader(streamed).read(5, after_seq="0"))),
        threading.Thread(target=lambda: seen.append(GoEvents(streamed).read(4, since_id="0"))),
    ]
    for reader in readers:
        reader.start()
    until(lambda: len(moves.moves._watching.get(streamed.account.pk, ())) == 2)
    is_away.set()
    second = streamed.desk.buy("5")
    until(lambda: len(set(faults)) == 3)  # each of the three was asked
    is_away.clear()
    for reader in readers:
        reader.join(90)
    events = next(found for found in seen if isinstance(found[0], dict))
    updates = next(found for found in seen if not isinstance(found[0], dict))
    assert [message["data"] for message in events] == listed(streamed)
    assert updates == [(word, str(order.pk)) for order in (first, second) for word in ("new", "fill")]
    # Who reads on from long ago keeps nobody waiting: neither the look of all nor another account's streams.
    assert {("last_events", moves.LOOK), ("read", streamed.account.pk.bytes)} <= turns
    assert patiently == {identity._unless_he_has_too_many.__name__, "read"}, "who comes, and what he has missed"


def test_updates_that_were_cut_off_go_on_after_the_last_id(streamed: Streamed) -> None:
    """As the Go client does it: the connection is cut after each update."""
    go, seen = GoEvents(streamed), []
    orders = [streamed.desk.buy("1") for _ in range(3)]
    last = "0"
    for _ in range(6):
        seen += go.read(1, since_id=last)
        [last] = go.ids
    assert seen == [(word, str(order.pk)) for order in orders for word in ("new", "fill")]


def test_who_reads_too_slowly_is_told_so_or_cut_off(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """407 and 1008 to the one who reads after all; the other's connection ends, and with it what was kept for it."""
    monkeypatch.setattr(sockets, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(limits, "WRITE_SECONDS", 90.0)
    ended: list[str] = []
    end = sockets.Socket.end

    async def remembering(one: sockets.Socket, content: Any, reason: str) -> None:
        ended.append(reason)
        await end(one, content, reason)

    monkeypatch.setattr(sockets.Socket, "end", remembering)
    late, never = (_deaf(streamed) for _ in range(2))
    until(lambda: ended == ["slow client"] * 2)
    told = _read_all(late)
    assert b'"code":407' in told and told.endswith(b"slow client") and POLICY.to_bytes(2) in told[-20:]
    monkeypatch.setattr(limits, "WRITE_SECONDS", 0.2)
    until(lambda: not Watch._running.sockets.taken)
    assert identity._open == {}
    never.close()


def test_a_worker_that_stops_ends_its_streams_and_calls_it_no_error(
    streamed: Streamed, caplog: pytest.LogCaptureFixture
) -> None:
    """Of server-sent events to the end of the answer, so that a client sees that it is whole."""
    deaf = _deaf(streamed)
    url, headers = f"http://{streamed.host}/v2/events/trades", GoEvents(streamed).headers
    with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": trade updates"
        until(lambda: any(one.stalled_since for one in tuple(Watch._running.sockets.taken)))
        streamed.worker.stop()
        assert [line for line in lines if line.startswith("data")] == []
    assert [record.getMessage() for record in caplog.records if "in ASGI application" in record.getMessage()] == []
    deaf.close()


def _deaf(streamed: Streamed) -> socket.socket:
    """A client with long subscriptions, who says so again and again and reads no answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", int(streamed.host.rpartition(":")[2])))
    connection.sendall(
        f"GET {DATA} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert connection.recv(1_000).startswith(b"HTTP/1.1 101")
    many = {"action": "subscribe", "quotes": [f"S{number}" for number in range(990)]}
    for message in ({"action": "auth", "key": streamed.key_id, "secret": streamed.secret}, many):
        connection.sendall(frame(json.dumps(message).encode()))
    connection.sendall(frame(b'{"action":"subscribe"}') * 200)
    connection.settimeout(90)
    return connection


def _read_all(connection: socket.socket) -> bytes:
    """All that is there, to the end."""
    parts = []
    with suppress(OSError):
        while part := connection.recv(65_536):
            parts.append(part)
            if part.endswith(b"slow client"):
                break
    connection.close()
    return b"".join(parts)
