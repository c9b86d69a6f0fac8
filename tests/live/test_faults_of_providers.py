"""Faults of a provider, each on a real socket: what the line says, what is asked again, and that quotes come again afterwards.

Our loops' clock hurries here while nobody has anything to do, so that a minute of patience is a third of a second.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import product
from typing import Any

import pytest

from marketdata.feeds.live import alpaca, cutemarkets, fetching, massive, stream, tradier
from marketdata.feeds.live.protocol import Grade, Rank, State, Want
from tests.live.kit import World, played, serving
from tests.live.provider import Answer, FakeProvider, Peer, Quoted

CALL = "O:AAPL261218C00200000"
LATE = {"delay": alpaca.reading.timedelta(seconds=910)}
STREAMED = [(alpaca, {}), (massive, {"feeds": ("stocks",)}), (cutemarkets, {"feeds": ("stocks",)})]
each_stream = pytest.mark.parametrize(("module", "options"), STREAMED, ids=["alpaca", "massive", "cutemarkets"])


def side_by_side(scenario: Callable[..., Awaitable[None]], rows: Iterable[tuple[Any, ...]]) -> None:
    """Play it for each of the rows, all at once, each with a provider of its own: what takes time in it is waiting."""

    async def of(row: tuple[Any, ...]) -> None:
        try:
            await scenario(*row)
        except BaseException as fault:
            fault.add_note(f"of {row}")
            raise

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(of(row))

    played(all_of_them)


async def streaming(world: World, symbol: str = "AAPL", line: str = "stocks") -> Peer:
    """Wait for the stream, and for one quote over it."""
    await world.state(State.STREAMING, line)
    peer = await world.fake.peer()
    await world.fake.until(lambda: symbol in peer.subscribed)
    before = len(world.notes.heard(symbol))
    await world.fake.quote(Quoted(symbol))
    await world.until(lambda: len(world.notes.heard(symbol)) > before)
    return peer


async def back_again(world: World, symbol: str = "AAPL") -> None:
    """The line has been interrupted, and streams again; what was missed comes by REST, what follows by the stream."""
    await world.until(lambda: State.INTERRUPTED in world.notes.states())
    await world.until(lambda: world.notes.state() is State.STREAMING and len(world.fake.opened) > 1)
    await world.until(lambda: world.notes.counts["rest_calls:seed"] >= 2)
    await streaming(world, symbol)


def answers(*replies: Answer) -> Callable[[str, Mapping[str, str]], Answer | None]:
    """REST that answers with these, one after another, and then as usual."""
    left = list(replies)
    return lambda path, params: left.pop(0) if left else None


def text(status: int, body: str, **headers: str) -> Answer:
    return status, headers, body.encode()


# --- From the handshake to a quote ----------------------------------------------------------------------------------------


@each_stream
def test_seeded_subscribed_streamed(module: Any, options: dict[str, Any]) -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.latest = {"AAPL": Quoted("AAPL", 99.0, 99.2)}
        async with serving(module, "AAPL", fake=fake, **options) as world:
            await world.until(lambda: world.notes.heard("AAPL"))  # by REST, before anything is streamed
            assert world.notes.heard("AAPL")[0].bid == 99
            peer = await streaming(world)
            assert world.notes.heard("AAPL")[-1].bid == 100
            assert world.notes.states() == [State.CONNECTING, State.STREAMING]
            assert tuple(world.notes.coverage["stocks"].streamed) == ("AAPL",)
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 1000  # a close frame, which frees the seat at once

    played(scenario)


def test_what_is_wanted_changes() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL", "IBM") as world:
            peer = await streaming(world)
            world.want("IBM", "BRK.B")
            await world.fake.until(lambda: sorted(peer.subscribed) == ["BRK.B", "IBM"])
            await streaming(world, "BRK.B")
            assert len(world.fake.opened) == 1

    played(scenario)


@pytest.mark.parametrize(
    ("module", "options"), [(alpaca, {"feeds": ("indicative",)}), (massive, {"feeds": ("options",)})]
)
def test_options_and_their_chain(module: Any, options: dict[str, Any]) -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.contracts = [CALL, "O:AAPL261218P00200000", "O:AAPL270115C00200000"]
        fake.latest = {CALL: Quoted(CALL, 9.1, 9.3)}
        async with serving(module, CALL, fake=fake, **options) as world:
            await streaming(world, CALL, "options")
            world.provider.want_chain("AAPL")
            world.provider.want_chain("AAPL")  # once a minute is enough
            await world.until(lambda: world.notes.chains)
            (chain,) = world.notes.chains
            assert [contract.symbol for contract in chain.contracts] == fake.contracts and chain.problem == ""
            assert chain.contracts[1].quote is None

    played(scenario)


def test_a_feed_without_options_says_so() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL", CALL) as world:
            await streaming(world)
            world.provider.want_chain("AAPL")
            assert "no options" in world.notes.chains[0].problem
            assert tuple(world.notes.coverage["stocks"].left_out) == (CALL,)

    played(scenario)


def test_a_canary_that_no_feed_has_is_missed_by_nobody() -> None:
    async def scenario() -> None:
        wants = [Want(CALL, Rank.ORDER), Want("AAPL", Rank.UNDERLYING), Want("SPY", Rank.CANARY)]
        async with serving(alpaca, wants=wants, feeds=("indicative",)) as world:
            await streaming(world, CALL, "options")
            coverage = world.notes.coverage["options"]
            assert (tuple(coverage.streamed), tuple(coverage.left_out)) == ((CALL,), ("AAPL",))

    played(scenario)


def test_the_test_feed_has_one_symbol_and_no_rest() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL", feeds=("test",)) as world:
            await streaming(world, "FAKEPACA")
            assert world.notes.lines["stocks"][-1].grade is Grade.TEST
            assert tuple(world.notes.coverage["stocks"].left_out) == ("AAPL",) and not world.fake.requests

    played(scenario)


def test_tradier_polls_all_and_its_chain() -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.contracts, fake.unknown = [CALL, "O:AAPL270115C00200000"], {"NOSUC"}
        fake.latest = {name: Quoted(name) for name in ("BRK.B", CALL)}
        async with serving(tradier, "BRK.B", CALL, "NOSUC", fake=fake, **LATE) as world:
            await world.state(State.POLLING, "all")
            await world.until(lambda: len(world.notes.heard("BRK.B")) > 2 and world.notes.heard(CALL))
            assert "NOSUC" in world.notes.refused
            world.provider.want_chain("AAPL")
            await world.until(lambda: world.notes.chains)
            assert [contract.symbol for contract in world.notes.chains[0].contracts] == fake.contracts

    played(scenario)


# --- The connection breaks ------------------------------------------------------------------------------------------------


@each_stream
def test_cut_in_mid_frame(module: Any, options: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with serving(module, "AAPL", **options) as world:
            peer = await streaming(world)
            heard = len(world.notes.quotes)
            frame = json.dumps([{"T": "q", "ev": "Q", "S": "AAPL", "sym": "AAPL", "bp": 1, "ap": 2}]).encode()
            peer.cut(bytes([0x81, len(frame)]) + frame[:20])  # a whole header, and a third of what it promises
            await back_again(world)
            assert all(quote.bid == 100 for quote in world.notes.quotes[heard:])
            assert world.notes.counts["reconnects:lost"] == 1

    played(scenario)


def test_cut_in_mid_array() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL") as world:
            peer = await streaming(world)
            heard = len(world.notes.quotes)
            await peer.socket.send(
                '[{"T":"q","S":"AAPL","bp":1,"ap":2,"bs":1,"as":1,"t":"2026-11-25T15:30:00Z"},{"T":"q","S"'
            )
            peer.cut()
            await back_again(world)
            assert all(quote.bid == 100 for quote in world.notes.quotes[heard:])
            assert world.notes.counts["bad:json"] == 1

    played(scenario)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012])
def test_closed_by_the_provider(code: int) -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL") as world:
            peer = await streaming(world)
            await peer.socket.close(code)
            await back_again(world)

    played(scenario)


def test_half_open_is_noticed_within_ten_seconds() -> None:
    """The provider's machine is gone without a word: only pings can tell."""

    async def scenario() -> None:
        async with serving(alpaca, "AAPL", network_speed=50.0) as world:
            peer = await streaming(world)
            peer.stop_reading()
            gone_at = world.pace.seconds()
            await world.until(lambda: State.INTERRUPTED in world.notes.states())
            assert world.pace.seconds() - gone_at <= 10.01
            world.fake.peers.remove(peer)  # the provider's new machine does not know of it
            await back_again(world)

    played(scenario, speed=50.0)


def test_the_provider_is_away() -> None:
    """Nobody listens for a while: the tries become rare, and orders wait with what they have."""

    async def scenario() -> None:
        fake = FakeProvider()
        async with serving(alpaca, "AAPL", fake=fake) as world:
            await streaming(world)
            port = fake.port
            await fake.close()
            await world.until(lambda: world.notes.counts["reconnects:lost"] >= 3)
            assert world.notes.state() is State.INTERRUPTED and world.notes.reason()
            await fake.open(port)
            await streaming(world)
            assert world.notes.counts["gap_seconds"] >= 1

    played(scenario)


def test_let_go_as_slow() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL") as world:
            peer = await streaming(world)
            await peer.send({"T": "error", "code": 407, "msg": "slow client"})
            await back_again(world)
            assert world.notes.counts["reconnects:slow"] == 1

    played(scenario)


# --- Open, and silent -----------------------------------------------------------------------------------------------------


def test_mute_with_pongs() -> None:
    """A canary, or ten symbols, without a word for twenty seconds while the exchange is open: connect again. At night: nothing."""

    async def scenario(symbols: list[str], in_session: bool) -> None:
        async with serving(alpaca, *symbols, in_session=in_session) as world:
            await streaming(world, symbols[0])
            started = world.pace.seconds()
            if in_session:
                await world.until(lambda: world.notes.counts["reconnects:mute"])
                assert 18 <= world.pace.seconds() - started <= 22, "silence counts from the last quote on"
                await back_again(world, symbols[0])
            else:
                await world.pace.sleep(30)
                assert world.notes.states() == [State.CONNECTING, State.STREAMING]

    side_by_side(scenario, product([["SPY"], [f"S{letter}" for letter in "ABCDEFGHIJ"]], [True, False]))


def test_few_quiet_symbols_are_not_mute() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL", "IBM") as world:
            await streaming(world)
            await world.pace.sleep(30)
            assert world.notes.states() == [State.CONNECTING, State.STREAMING]

    played(scenario)


# --- Not let in -----------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_refused_and_tried_once_a_minute() -> None:
    async def scenario(module: Any, options: dict[str, Any]) -> None:
        async with serving(module, "AAPL", key="not-the-key-of-the-tests", **options) as world:
            started = world.pace.seconds()
            await world.state(State.REFUSED)
            assert world.pace.seconds() - started < 5
            assert world.notes.reason()
            assert "key-of-the-tests" not in world.notes.reason()
            await world.until(lambda: world.notes.counts["reconnects:refused"] == 2)
            assert world.pace.seconds() - started >= 60
            assert not world.notes.quotes and set(world.notes.states()) == {State.CONNECTING, State.REFUSED}
            assert len(world.fake.requests) <= 4  # nor is the key tried by REST all the time

    side_by_side(scenario, STREAMED)


def test_a_plan_without_the_feed() -> None:
    async def scenario(module: Any, options: dict[str, Any], sentence: str) -> None:
        fake = FakeProvider()
        fake.feeds = set()
        async with serving(module, "AAPL", fake=fake, **options) as world:
            await world.state(State.REFUSED)
            assert world.notes.reason() == sentence
            assert tuple(world.notes.coverage["stocks"].left_out) == ("AAPL",)
            fake.feeds = None  # the plan is changed: no restart is needed
            await world.state(State.STREAMING)

    rows = [
        (alpaca, {"feeds": ("sip",)}, "insufficient subscription (409)"),
        (massive, {"feeds": ("stocks",)}, "not authorized"),
    ]
    side_by_side(scenario, rows)


def test_a_key_is_never_repeated() -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.greeting = [{"T": "error", "code": 402, "msg": "no such key: key-of-the-tests"}]
        async with serving(alpaca, "AAPL", fake=fake) as world:
            await world.state(State.REFUSED)
            assert world.notes.reason() == "no such key: *** (402)"

    played(scenario)


def test_no_answer_to_the_login() -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.hello = False
        async with serving(alpaca, "AAPL", fake=fake) as world:
            await world.state(State.INTERRUPTED)
            assert "login" in world.notes.reason()

    played(scenario)


def test_the_seat_is_taken() -> None:
    """Another process of the same user is connected: poll meanwhile, stream once it is free, and never twice ourselves."""

    async def scenario(module: Any, options: dict[str, Any]) -> None:
        fake = FakeProvider()
        fake.foreign_seats, fake.latest = 1, {"AAPL": Quoted("AAPL")}
        async with serving(module, "AAPL", fake=fake, **options) as world:
            await world.state(State.POLLING)
            assert world.notes.reason()
            polled = len(world.notes.heard("AAPL"))
            await world.until(lambda: len(world.notes.heard("AAPL")) >= polled + 2)
            assert tuple(world.notes.coverage["stocks"].polled) == ("AAPL",)
            tries = len(fake.opened)
            await world.pace.sleep(10)
            assert len(fake.opened) - tries <= 2  # 5, 10, 20 ... s: no hurry
            fake.foreign_seats = 0
            await streaming(world)
            assert fake.most_peers == 1

    side_by_side(scenario, STREAMED)


def test_one_connection_for_both_markets() -> None:
    """At CuteMarkets a user has one connection: the market with more orders and positions has it, the other is polled."""

    async def scenario() -> None:
        fake = FakeProvider()
        fake.latest = {CALL: Quoted(CALL), "AAPL": Quoted("AAPL")}
        wants = [Want("AAPL", Rank.WATCHED), Want(CALL, Rank.WATCHED)]
        async with serving(cutemarkets, fake=fake, wants=wants) as world:
            await world.state(State.STREAMING, "stocks")
            await world.state(State.POLLING, "options")
            await world.until(lambda: len(world.notes.heard(CALL)) >= 2)
            world.provider.want([Want(CALL, Rank.ORDER), Want("AAPL", Rank.WATCHED)])
            await world.state(State.STREAMING, "options")
            await world.state(State.POLLING, "stocks")
            assert fake.opened == ["/v1/ws/stocks/", "/v1/ws/options/"]
            world.provider.want([Want("AAPL", Rank.ORDER), Want("IBM", Rank.ORDER), Want(CALL, Rank.ORDER)])
            await world.pace.sleep(10)
            assert len(fake.opened) == 2  # at most once a minute
            await world.state(State.STREAMING, "stocks")
            assert fake.most_peers == 1

    played(scenario)


# --- Limits ---------------------------------------------------------------------------------------------------------------

RANKED = [Want(f"S{chr(65 + number // 26)}{chr(65 + number % 26)}", Rank(1 + number // 12)) for number in range(45)]


def test_limit_of_thirty_with_forty_five_symbols() -> None:
    """Orders, positions, underlyings first; the rest is polled; nothing flaps. A limit that nobody told is found out."""

    async def scenario(is_told: bool) -> None:
        fake = FakeProvider()
        fake.symbol_limit, fake.latest = 30, {want.symbol: Quoted(want.symbol) for want in RANKED}
        async with serving(
            alpaca, fake=fake, wants=RANKED, in_session=False, symbol_limit=None if is_told else 44
        ) as world:
            await world.state(State.STREAMING)
            await fake.until(lambda: len(fake.peers[0].subscribed) == 30)
            await world.until(lambda: len(world.notes.coverage["stocks"].streamed) == 30)
            expected = [want.symbol for want in RANKED]
            assert sorted(fake.peers[0].subscribed) == sorted(expected[:30])
            assert list(world.notes.coverage["stocks"].polled) == expected[30:]
            await world.until(lambda: {quote.symbol for quote in world.notes.quotes} == set(expected))
            assert world.notes.lines["stocks"][-1].symbol_limit == 30
            orders = len(fake.peers[0].frames)
            await world.pace.sleep(30)
            assert len(fake.peers[0].frames) == orders and len(fake.opened) == 1

    side_by_side(scenario, [(True,), (False,)])


@pytest.mark.parametrize("limit", [1, 0])
def test_a_limit_is_of_its_connection(limit: int) -> None:
    """A provider that still counted a connection that is gone has room again for the next; none at all is tried again."""

    async def scenario() -> None:
        fake = FakeProvider()
        fake.symbol_limit, fake.latest = limit, {name: Quoted(name) for name in ("AAPL", "IBM")}
        async with serving(alpaca, "AAPL", "IBM", fake=fake) as world:
            if limit:
                await fake.until(lambda: any(len(peer.subscribed) == limit for peer in fake.peers))
                await world.until(lambda: world.notes.lines["stocks"][-1].symbol_limit == limit)
            else:
                await world.state(State.POLLING)
                assert "not one symbol" in world.notes.reason()
            fake.symbol_limit = 30
            for peer in list(fake.peers):
                peer.socket.transport.abort()
            await fake.until(lambda: any(len(peer.subscribed) == 2 for peer in fake.peers))
            await streaming(world)
            await world.until(lambda: world.notes.lines["stocks"][-1].symbol_limit == 30)

    played(scenario)


def test_what_polling_has_no_room_for_is_named() -> None:
    async def scenario() -> None:
        wants = [Want(f"S{chr(65 + number // 26)}{chr(65 + number % 26)}", Rank.WATCHED) for number in range(100)]
        fake = FakeProvider()
        fake.foreign_seats = 1
        async with serving(cutemarkets, fake=fake, wants=wants, feeds=("stocks",)) as world:
            await world.until(lambda: world.notes.coverage["stocks"].polled)
            coverage = world.notes.coverage["stocks"]
            assert len(coverage.polled) == 60 and list(coverage.left_out) == [want.symbol for want in wants[60:]]

    played(scenario)


def test_a_symbol_that_the_provider_does_not_know() -> None:
    """It is found in the frame that was refused for it, and the others are subscribed."""

    async def scenario() -> None:
        fake = FakeProvider()
        symbols = [f"S{letter}" for letter in "ABCDEFGHIJKLM"]
        fake.unknown = {"SG"}
        async with serving(alpaca, *symbols, fake=fake) as world:
            await world.until(lambda: "SG" in world.notes.refused)
            await fake.until(lambda: sorted(fake.peers[0].subscribed) == sorted(set(symbols) - {"SG"}))
            assert set(world.notes.refused) == {"SG"}

    played(scenario)


# --- REST -----------------------------------------------------------------------------------------------------------------

REST_FAULTS = [
    (text(429, "{}", **{"Retry-After": "3"}), "limited"),
    (text(429, "slow down"), "limited"),
    (text(500, "<html>Oops</html>"), "status"),
    (text(200, "<html>Sign in</html>"), "unreadable"),
    (text(200, '{"quotes": {"AAPL": {"bp": 1'), "unreadable"),
    (text(200, "[]"), "unreadable"),
    (text(302, "", Location="https://elsewhere.example/"), "status"),
    (text(403, '{"message": "forbidden"}'), "status"),
    (text(400, '{"message": "invalid feed"}'), "status"),  # of no symbol: none is refused for it
    (text(404, '{"message": "endpoint not found."}'), "status"),
]


@pytest.mark.parametrize(("answer", "kind"), REST_FAULTS, ids=[f"{answer[0]} {kind}" for answer, kind in REST_FAULTS])
def test_rest_fails_and_the_stream_does_not(answer: Answer, kind: str) -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.rest = answers(answer)
        async with serving(alpaca, "AAPL", fake=fake) as world:
            await world.until(lambda: world.notes.counts[f"rest_failures:{kind}"] == 1)
            await world.until(lambda: world.notes.reason())  # and it is seen
            await streaming(world)
            assert len(fake.requests) == 1  # paused
            await world.until(lambda: world.notes.counts["rest_calls:seed"] == 2)  # the seed is made good
            await world.until(lambda: not world.notes.reason())
            assert len(fake.opened) == 1 and not world.notes.refused

    played(scenario)


def test_a_limit_halves_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "RECOVER_SECONDS", 30.0)

    async def scenario() -> None:
        async with serving(tradier, "AAPL", **LATE) as world:
            fetcher = world.provider.lines[0].fetcher
            await world.state(State.POLLING, "all")
            before = fetcher.budget.calls_a_second
            world.fake.rest = answers(text(429, "{}", **{"Retry-After": "1"}))
            await world.until(lambda: world.notes.counts["rest_failures:limited"])
            assert fetcher.budget.calls_a_second == before / 2
            await world.state(State.POLLING, "all")
            await world.pace.sleep(25)
            assert fetcher.budget.calls_a_second == before / 2
            await world.until(lambda: fetcher.budget.calls_a_second == before)  # forgiven after a while

    played(scenario)


def test_polling_keeps_to_the_budget() -> None:
    async def scenario() -> None:
        async with serving(tradier, "AAPL", **LATE) as world:
            await world.state(State.POLLING, "all")
            started, calls = world.pace.seconds(), len(world.fake.requests)
            await world.pace.sleep(60)
            minutes = (world.pace.seconds() - started) / 60
            assert (len(world.fake.requests) - calls) / minutes <= 60  # of the sandbox

    played(scenario)


def test_a_chain_that_fails_says_why() -> None:
    async def scenario() -> None:
        async with serving(alpaca, feeds=("indicative",)) as world:
            await world.state(State.STREAMING, "options")
            world.fake.rest = answers(text(500, "<html>"))
            world.provider.want_chain("AAPL")
            await world.until(lambda: world.notes.chains)
            assert "500" in world.notes.chains[0].problem
            await world.pace.sleep(6)
            world.provider.want_chain("AAPL")  # after a failure one need not wait a minute
            await world.until(lambda: len(world.notes.chains) == 2)
            assert world.notes.chains[1].problem == ""

    played(scenario)


# --- What is sent ---------------------------------------------------------------------------------------------------------

ODD_FRAMES = [
    "{",
    "[]",
    "[7]",
    '"text"',
    '[{"T":"?"}]',
    '[{"T":"q","S":"AAPL","bp":NaN}]',
    '[{"T":"q","S":"nonsense","bp":1}]',
    b"\xff",
]


def test_odd_frames_are_counted_and_the_stream_lives() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL") as world:
            peer = await streaming(world)
            for frame in ODD_FRAMES:
                await peer.socket.send(frame)
            await streaming(world)
            bad = sum(count for what, count in world.notes.counts.items() if what.startswith("bad:"))
            assert bad == len(ODD_FRAMES) - 1  # an empty array says nothing, and nothing bad
            assert len(world.fake.opened) == 1

    played(scenario)


def test_a_frame_too_large_ends_the_connection_and_no_more() -> None:
    async def scenario() -> None:
        async with serving(alpaca, "AAPL") as world:
            peer = await streaming(world)
            await peer.socket.send("[" + " " * (stream.MAX_FRAME_BYTES + 1) + "]")
            await back_again(world)

    played(scenario)


def test_twenty_thousand_quotes_are_read_as_they_come() -> None:
    """Our side never lets the provider wait: a listener takes them at once, however slow what follows is."""

    async def scenario() -> None:
        async with serving(alpaca, "AAPL", "IBM") as world:
            peer = await streaming(world)
            messages = [{"T": "q", "S": "AAPL", **Quoted("AAPL").alpaca(packed=False)} for _ in range(500)]
            frame = json.dumps(messages)
            for _ in range(40):
                await peer.socket.send(frame)
            await world.until(lambda: len(world.notes.heard("AAPL")) >= 20_000)
            assert len(world.fake.opened) == 1 and world.notes.state() is State.STREAMING

    played(scenario)
