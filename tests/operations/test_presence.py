"""Which processes there are and what they counted, across processes; and the port of a host without a web server."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from papertrade.lib import env, metrics, tallies, valkey
from papertrade.operations import exporter, presence
from papertrade.operations.exporter import Exporter
from papertrade.operations.presence import Beacon
from papertrade.stack.embedded.process import free_port
from tests.api_kit import Api
from tests.market_kit import MarketKit

TOKEN = "a-token-for-metrics-only-in-tests"


@pytest.fixture(autouse=True)
def nothing_was_counted() -> Iterator[None]:
    def clear() -> None:
        tallies.take()
        for pattern in (presence.PROCESSES, f"{presence.MINUTE}*", f"{presence.USAGE}*", f"{presence.SLOW}*"):
            for name in valkey.client().scan_iter(pattern):
                valkey.client().delete(name)

    clear()
    yield
    clear()


def test_a_process_is_seen_until_it_says_that_it_ends() -> None:
    beacon = Beacon("feed", role=lambda: "leads")
    beacon.beat()
    [seen] = presence.processes()
    assert (seen.kind, seen.role, seen.pid, seen.host) == ("feed", "leads", os.getpid(), socket.gethostname())
    assert not seen.is_silent
    beacon.start().stop()
    assert presence.processes() == []


def test_one_that_is_not_heard_of_is_silent_and_then_forgotten() -> None:
    Beacon("worker").beat()
    name, told = next(iter(valkey.client().hgetall(presence.PROCESSES).items()))
    for ago, expected in ((presence.SILENT, [True]), (presence.FORGOTTEN, [])):
        seen_at = datetime.now(UTC) - ago - timedelta(seconds=1)
        valkey.client().hset(presence.PROCESSES, name, json.dumps({**json.loads(told), "seen_at": seen_at.isoformat()}))
        assert [process.is_silent for process in presence.processes()] == expected
    assert valkey.client().hlen(presence.PROCESSES) == 0


def test_what_several_processes_counted_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_900_000_030
    monkeypatch.setattr("time.time", lambda: now)
    beacon = Beacon("web")
    for _ in range(2):
        tallies.count_request(seconds=0.25, failed=False, user="walter", key="k1", orders=2, line={"request_id": "a"})
        tallies.count_request(seconds=0.01, failed=True, user="", key="", orders=0, line={})
        tallies.count_orders({"placed": 2, "rejected": 1})
        beacon.beat()
    now += 60
    [(_, before), (at, counted)] = presence.minutes(2)
    assert before == {} and at == datetime.fromtimestamp(1_899_999_960 + 60, UTC)
    assert counted == {"requests": 4, "failed": 2, "placed": 4, "rejected": 2}
    assert presence.usage("user", most=5) == [("walter", 2, 4)]
    assert presence.usage("key", most=5) == [("k1", 2, 4)]
    assert presence.slowest(most=5) == [(0.25, {"request_id": "a"})]


def test_what_could_not_be_told_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    there, away = valkey.client(), redis.Redis.from_url("redis://127.0.0.1:1/0")
    tallies.count_orders({"placed": 3})
    tallies.count_request(seconds=1.5, failed=False, user="", key="", orders=0, line={"request_id": "slow"})
    monkeypatch.setattr(valkey, "_client", away)
    Beacon("web").beat()
    monkeypatch.setattr(valkey, "_client", there)
    tallies.count_orders({"placed": 1})
    Beacon("web").beat()
    assert sum(int(there.hget(name, "placed")) for name in there.scan_iter(f"{presence.MINUTE}*")) == 4
    assert [line for _, line in presence.slowest(most=5)] == [{"request_id": "slow"}]


def test_only_the_slowest_are_kept() -> None:
    for number in range(2 * tallies.MOST_SLOW):
        line = {"request_id": str(number)}
        tallies.count_request(seconds=1 + number, failed=False, user="", key="", orders=0, line=line)
    slow = tallies.take().slow
    assert sorted(seconds for seconds, _, _ in slow) == [1 + n for n in range(tallies.MOST_SLOW, 2 * tallies.MOST_SLOW)]


def test_requests_and_orders_of_a_key_are_counted(committed: None, api: Api, open_market: MarketKit) -> None:
    account = api.open_account()
    api.buy(account)
    api.order(account, qty="1000000")
    counted = tallies.take()
    assert sum(number for (_, what), number in counted.minutes.items() if what == "placed") == 2
    assert sum(number for (_, what), number in counted.minutes.items() if what == "rejected") == 1
    by_whom = {(what, whose): number for (_, what, whose, _), number in counted.usage.items()}
    assert by_whom == {("requests", "user"): 3, ("requests", "key"): 3, ("orders", "user"): 2, ("orders", "key"): 2}


@pytest.fixture
def address(settings: Any) -> tuple[str, int]:
    """A port that nobody has."""
    settings.PAPERTRADE_METRICS_TOKEN = TOKEN
    return "127.0.0.1", free_port()


def ask(address: tuple[str, int], path: str = "/metrics", authorization: str = f"Bearer {TOKEN}") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("GET", path, headers={"Authorization": authorization})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_one_process_of_a_host_serves_its_metrics_and_another_takes_over(address: tuple[str, int]) -> None:
    metrics.count_orders([("told", "")])
    first, second = Exporter(address), Exporter(address)
    try:
        assert (first.try_to_serve(), second.try_to_serve(), first.try_to_serve()) == (True, False, True)
        status, text = ask(address)
        assert status == 200 and 'papertrade_orders_total{reason="",status="told"}' in text
        assert "papertrade_up" not in text  # a state, and no count of this host
        for wrong in ("", "Bearer", f"Bearer {TOKEN}x", "Bearer \xe9"):
            status, text = ask(address, authorization=wrong)
            assert status == 401 and "papertrade_orders" not in text
        assert ask(address, "/")[0] == 404
        first.stop()
        assert second.try_to_serve() and ask(address)[0] == 200
    finally:
        first.stop()
        second.stop()


def test_without_an_address_nothing_listens(settings: Any) -> None:
    assert settings.PAPERTRADE_METRICS_ADDRESS is None and exporter.Exporter.of_settings() is None


@pytest.mark.parametrize(
    ("given", "read"),
    [("127.0.0.1:9108", ("127.0.0.1", 9108)), ("[::1]:9108", ("::1", 9108)), ("", None)],
)
def test_an_address(monkeypatch: pytest.MonkeyPatch, given: str, read: object) -> None:
    monkeypatch.setenv("PAPERTRADE_METRICS_ADDRESS", given)
    assert env.address("PAPERTRADE_METRICS_ADDRESS") == read


@pytest.mark.parametrize("given", ["9108", ":9108", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http"])
def test_an_address_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PAPERTRADE_METRICS_ADDRESS", given)
    with pytest.raises(SystemExit, match="PAPERTRADE_METRICS_ADDRESS"):
        env.address("PAPERTRADE_METRICS_ADDRESS")
