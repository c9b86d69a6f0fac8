"""P8 of docs/performance.md: a whole server on a live market, and a provider that storms.

Everything is real but the exchange: server, database and web, a provider in a process of its own on a socket, orders over HTTP.
The market is as late as it takes to be in the middle of the last session.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, say
from marketdata.services import last_session_by_the_rules
from tests.live.provider import KEY, SECRET
from tests.stack.server import PROJECT, Server, wait_until

SYMBOLS, ORDERS, ACCOUNTS = 500, 200, 4
SECONDS = float(os.environ.get("P8_SECONDS", "120"))
IDLE_SECONDS = 30.0  # before the storm, and after it
SUBMITS_A_SECOND = 5
SYMBOLS_A_CALL = 100
METRICS_TOKEN = "the-token-of-the-benchmark"
STEP_BAR_SECONDS = 0.1  # a bound of the histogram's buckets


class Provider:
    """The storm, from outside."""

    def __init__(self, delay: timedelta, symbols: list[str]) -> None:
        command = [sys.executable, "-m", "benchmarks.storm", str(int(delay.total_seconds())), *symbols]
        self._process = subprocess.Popen(command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self._line())

    def say(self, word: str) -> dict[str, int]:
        """Begin or end the storm; what it has done so far."""
        assert self._process.stdin is not None, "it is a pipe"
        print(word, file=self._process.stdin, flush=True)
        return json.loads(self._line())

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None, "it is a pipe"
        return self._process.stdout.readline()


def p8() -> list[Figure]:
    """20,000 quotes/s of 500 symbols over a socket, 200 working orders: steps, memory, connection, and submits meanwhile."""
    letters = "ABCDEFGH"
    symbols = [f"{a}{b}{c}" for a in letters for b in letters for c in letters][:SYMBOLS]
    now = datetime.now(UTC)
    delay = now - (last_session_by_the_rules(now)[0] + timedelta(hours=1))
    provider, folder = Provider(delay, symbols), Path(tempfile.mkdtemp(prefix="papertrade-p8-"))
    folder.chmod(0o755)
    server = Server(folder, **_settings(provider, delay))
    try:
        server.wait_for("credentials")
        return _measure(server, provider, symbols)
    finally:
        server.stop()
        provider.end()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(provider: Provider, delay: timedelta) -> dict[str, str]:
    return {
        "PAPERTRADE_MARKET": "live",
        "PAPERTRADE_SPEED": "1",
        "PAPERTRADE_PROVIDER": "alpaca",
        "PAPERTRADE_PROVIDER_KEY": KEY,
        "PAPERTRADE_PROVIDER_SECRET": SECRET,
        "PAPERTRADE_PROVIDER_FEEDS": "delayed_sip",
        "PAPERTRADE_PROVIDER_URL": f"http://127.0.0.1:{provider.port}",
        "PAPERTRADE_PROVIDER_STREAM_URL": f"ws://127.0.0.1:{provider.port}",
        "PAPERTRADE_SYMBOL_LIMIT": str(2 * SYMBOLS),
        "PAPERTRADE_DELAY_SECONDS": str(int(delay.total_seconds())),
        "PAPERTRADE_METRICS_TOKEN": METRICS_TOKEN,
        "PAPERTRADE_LOG_LEVEL": "WARNING",
    }


def _measure(server: Server, provider: Provider, symbols: list[str]) -> list[Figure]:
    accounts = [_account(server) for _ in range(ACCOUNTS)]
    for number in range(ORDERS):
        _submit(server, accounts[number % ACCOUNTS], symbols[number])
    _watch(server, symbols)
    idle = _submits(server, accounts[0], symbols, IDLE_SECONDS)

    feed = _feed_process(server)
    provider.say("storm")
    _submits(server, accounts[0], symbols, min(10.0, SECONDS))  # what is bought once is bought then
    before, memory, steps, busy = provider.say("storm"), _resident_mb(feed), _steps(server), _cpu_seconds(feed)
    storm = _submits(server, accounts[0], symbols, SECONDS)
    slow, done = (after - was for after, was in zip(_steps(server), steps, strict=True))
    after, growth = provider.say("calm"), _resident_mb(feed) / memory
    busy = (_cpu_seconds(feed) - busy) / SECONDS
    idle += _submits(server, accounts[0], symbols, IDLE_SECONDS)

    said, connections = (after["said"] - before["said"]) / SECONDS, after["connections"]
    share, ratio = slow / done, _p95(storm) / _p95(idle)
    say(f"{said:.0f} quotes/s were said, {done} steps, {slow} of them over {STEP_BAR_SECONDS * 1000:.0f} ms")
    say(f"the feed process took {busy:.0%} of a core")
    say(f"memory {memory} MB, {growth:.2f} x in the end; {len(storm)} submits, p95 {_p95(storm) * 1000:.0f} ms")
    say(f"idle feed: {len(idle)} submits, p95 {_p95(idle) * 1000:.0f} ms")
    kept = connections == 1 and _feed_process(server) == feed
    return [
        Figure("P8", "steps over 100 ms under 20,000 quotes/s", f"{share:.2%}", "<= 1 %", share <= 0.01),
        Figure("P8", "memory, end to beginning", f"{growth:.2f} x", "<= 1.1", growth <= 1.1),
        Figure("P8", "submit p95, to an idle feed's", f"{ratio:.2f} x", "<= 1.5", ratio <= 1.5),
        Figure("P8", "connections to the provider", str(connections), "1, kept", kept),
    ]


def _account(server: Server) -> str:
    return server.call("POST", "/paper/accounts/", {"name": "bench", "initial_cash": "100000000"})["account"]["id"]


def _submit(server: Server, account: str, symbol: str) -> str:
    """An order that no quote reaches; its id."""
    terms = {"symbol": symbol, "qty": "1", "side": "buy", "type": "limit", "limit_price": "1", "time_in_force": "gtc"}
    return server.call("POST", f"/paper/accounts/{account}/orders/", terms)["id"]


def _watch(server: Server, symbols: list[str]) -> None:
    """So that those that nobody trades are wanted too, for five minutes."""
    for start in range(0, len(symbols), SYMBOLS_A_CALL):
        server.call("GET", f"/market/quotes/?symbols={','.join(symbols[start : start + SYMBOLS_A_CALL])}")


def _submits(server: Server, account: str, symbols: list[str], seconds: float) -> list[float]:
    """Seconds of each of so many submits; each order is canceled again."""
    latencies, until, number = [], time.monotonic() + seconds, 0
    while (began := time.monotonic()) < until:
        if number % (60 * SUBMITS_A_SECOND) == 0:
            _watch(server, symbols)
        started = time.perf_counter()
        order = _submit(server, account, symbols[number % ORDERS])
        latencies.append(time.perf_counter() - started)
        _cancel(server, account, order)
        number += 1
        time.sleep(max(0.0, began + 1 / SUBMITS_A_SECOND - time.monotonic()))
    return latencies


def _cancel(server: Server, account: str, order: str) -> None:
    server.call("DELETE", f"/paper/accounts/{account}/orders/{order}/")


def _p95(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=20)[-1]


def _steps(server: Server) -> tuple[int, int]:
    """How many steps took longer than the bar, and how many there were."""
    address = f"http://127.0.0.1:{server.port}/metrics"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read().decode()
    quick, done = (_value(text, f'papertrade_step_seconds_bucket{{le="{le}"}}') for le in (STEP_BAR_SECONDS, "+Inf"))
    return done - quick, done


def _value(text: str, name: str) -> int:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{name} is counted"
    return int(float(found[1]))


def _feed_process(server: Server) -> int:
    found: list[int] = []

    def is_there() -> Any:
        found[:] = [int(line.split(" ", 1)[0]) for line in server.processes() if "run_feed" in line]
        return found

    wait_until(is_there, "the feed process")
    return found[0]


def _cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None, "Linux says it"
    return int(found[1]) // 1024
