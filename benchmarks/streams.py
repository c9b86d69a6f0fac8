"""`python -m benchmarks.streams [STREAMS] [SECONDS]`: 1,000 streams of account events on one core of a web worker.

Each stream is of an account of its own. While they are open, orders are sent to accounts by chance and each event is timed from
the commit to the client. Prints the worker's share of its core with nothing happening and with orders, how late events were,
and what a stream costs in memory. Ends with status 1 above a bar.
"""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Figure, say
from benchmarks.run import prepare_django

STREAMS, SECONDS = 1_000, 20.0
ORDERS_A_SECOND = 20.0
ACCOUNTS_OF_A_USER = 20  # as many as one may have
BAR_P99_MS, BAR_SHARE, BAR_KB = 1_000.0, 0.5, 200.0
OPENING_AT_ONCE, WARM = 50, 10
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@dataclass
class Seen:
    """When the last event of each account came, and how late the timed ones were."""

    came: dict[str, tuple[int, float]] = field(default_factory=dict)
    open: int = 0
    failed: list[str] = field(default_factory=list)


def make_accounts(count: int) -> list[tuple[str, str]]:
    """So many accounts, each with a key of its owner."""
    from accounts.models import User
    from accounts.services import issue_key
    from benchmarks import market
    from papertrade.trading.accounts import open_account

    market.simulated(seconds_after_open=60)
    found: list[tuple[str, str]] = []
    while len(found) < count:
        owner = User.objects.create(username=f"bench-{len(found)}")
        key = issue_key(user=owner, name="bench", scopes=["paper"])[1]
        few = min(ACCOUNTS_OF_A_USER, count - len(found))
        found += [
            (str(open_account(user=owner, policy={"stock_quote_max_age_seconds": 3600}).pk), key) for _ in range(few)
        ]
    return found


async def read(port: int, account: str, key: str, seen: Seen, gate: asyncio.Semaphore) -> None:
    """One stream, until it is canceled."""
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /v1/paper/accounts/{account}/events/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        writer.write(f"{head}Authorization: Bearer {key}\r\n\r\n".encode())
        status = await reader.readline()
        if b" 200 " not in status:
            seen.failed.append(status.decode())
            return
        seen.open += 1
    while line := await reader.readline():
        if line.startswith(b"id: "):
            seen.came[account] = (int(line[4:]), time.perf_counter())


def processor_seconds(pid: int) -> float:
    """What a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    """How much memory a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def worker_of(parent: int) -> int:
    """The one worker process of a web server."""
    for _ in range(200):
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.1)
    raise RuntimeError("no worker came")


def send_orders(accounts: list[str], seen: Seen, seconds: float) -> list[float]:
    """How late the last event of each order was, in milliseconds."""
    from accounts.models import PaperAccount
    from orders.services import submit
    from portfolio.models import Book

    chance, late, until = random.Random(1), list[float](), time.perf_counter() + seconds
    while time.perf_counter() < until:
        account = chance.choice(accounts)
        submit(account=PaperAccount.objects.get(pk=account), payload=ORDER)
        committed = time.perf_counter()
        last = Book.objects.filter(account_id=account).latest("generation_number").event_seq
        while seen.came.get(account, (0, 0.0))[0] < last:
            time.sleep(0.002)
            if time.perf_counter() - committed > 10:
                raise RuntimeError(f"{account}: event {last} did not come")
        late.append(1000 * max(0.0, seen.came[account][1] - committed))
        time.sleep(max(0.0, 1 / ORDERS_A_SECOND - (time.perf_counter() - committed)))
    return late


async def measure(port: int, pid: int, accounts: list[tuple[str, str]], seconds: float) -> list[Figure]:
    """The figures of as many streams as there are accounts."""
    seen, gate = Seen(), asyncio.Semaphore(OPENING_AT_ONCE)
    tasks = [asyncio.create_task(read(port, account, key, seen, gate)) for account, key in accounts[:WARM]]
    await asyncio.sleep(3)  # what the first streams load is not a stream's
    before, began = resident_kb(pid), time.perf_counter()
    tasks += [asyncio.create_task(read(port, account, key, seen, gate)) for account, key in accounts[WARM:]]
    while seen.open + len(seen.failed) < len(accounts):
        await asyncio.sleep(0.05)
    say(f"{seen.open} streams open after {time.perf_counter() - began:.1f} s, refused: {seen.failed[:3]}")
    await asyncio.sleep(2)
    kb = (resident_kb(pid) - before) / (len(accounts) - WARM)
    shares, late = [], list[float]()
    for busy in (False, True):
        used, at = processor_seconds(pid), time.perf_counter()
        if busy:
            late = await asyncio.to_thread(send_orders, [account for account, _ in accounts], seen, seconds)
        else:
            await asyncio.sleep(seconds)
        shares.append((processor_seconds(pid) - used) / (time.perf_counter() - at))
    for task in tasks:
        task.cancel()
    late.sort()
    p99 = late[int(len(late) * 0.99)]
    open_streams = f"{seen.open:,} streams"
    return [
        Figure(
            "S1",
            f"{open_streams}, nothing happens: share of a core",
            f"{shares[0]:.1%}",
            "<= 50 %",
            shares[0] <= BAR_SHARE,
        ),
        Figure(
            "S2",
            f"{open_streams}, {len(late)} orders: share of a core",
            f"{shares[1]:.1%}",
            "<= 50 %",
            shares[1] <= BAR_SHARE,
        ),
        Figure(
            "S3",
            "an event after its commit, p50 and p99",
            f"{late[len(late) // 2]:.0f}, {p99:.0f} ms",
            "<= 1 s",
            p99 <= BAR_P99_MS,
        ),
        Figure("S4", "memory a stream", f"{kb:.0f} kB", "<= 200 kB", kb <= BAR_KB),
        Figure("S5", "streams refused", str(len(seen.failed)), "0", not seen.failed),
    ]


def main(streams: int, seconds: float) -> int:
    """Prints the table."""
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    servers = prepare_django(folder)
    port = 18_000 + os.getpid() % 1000
    env = {**os.environ, "PAPERTRADE_PORT": str(port), "PAPERTRADE_WEB_WORKERS": "1"}
    env["PAPERTRADE_STRANGER_LIMIT_MINUTE"] = "unlimited"  # all keys are new, and come from one address in a moment
    try:
        accounts = make_accounts(streams)
        web = subprocess.Popen([sys.executable, "-m", "papertrade.web"], env=env)
        try:
            pid = worker_of(web.pid)
            os.sched_setaffinity(pid, {max(os.sched_getaffinity(0))})
            threading.Event().wait(3)
            figures = asyncio.run(measure(port, pid, accounts, seconds))
        finally:
            web.terminate()
            web.wait()
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    for figure in figures:
        print(f"{figure.name}  {figure.what:<52} {figure.figure:>14}  {figure.bar:>9}  {'' if figure.ok else 'ABOVE'}")
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(int(given[0]) if given else STREAMS, float(given[1]) if len(given) > 1 else SECONDS))
