"""One trial: a whole server, bots that trade on it, and a killer; after each kill everything must be as if there was none."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg

from tests.stack.prepared import prepared
from tests.stack.server import POLL_SECONDS, PROJECT, Server, wait_until
from tests.torture.journal import Bots, Journal, open_account, send
from tests.torture.market import START, write_recording

SPEED = 10_000  # exchange seconds a wall second: a session is 2.3 s, a night 6 s, a weekend 23 s
BOTS = 3
LONGEST_PAUSE_SECONDS = 2.0
SWEEP_WAIT_SECONDS = 30.0
SWEEP_SECONDS = 0.4
SWEEP_POLL_SECONDS = 0.005
SENDERS = 4
RESTING_ORDERS_LAST = timedelta(days=80)

# How the processes of a server can be told apart by their command lines.
VICTIMS: dict[str, Callable[[str], bool]] = {
    "web": lambda command: "papertrade.web" in command,
    "worker": lambda command: "celery" in command and "--concurrency" in command,
    "beat": lambda command: "celery" in command and "--schedule" in command,
    "feed": lambda command: "run_feed" in command,
    "postgres": lambda command: "postgres" in command and "manage.py" not in command,
    "valkey": lambda command: "valkey-server" in command,
}


class Trial:
    """A server on a recording at high speed, with resting orders that make each open a sweep of several chunks."""

    def __init__(self, folder: Path, *, resting_books: int, resting_orders: int, seed: int) -> None:
        self.server = Server(
            prepared(folder / "var"),
            PAPERTRADE_MARKET="recorded",
            PAPERTRADE_RECORDING=str(write_recording(folder / "recording")),
            PAPERTRADE_SPEED=str(SPEED),
            PAPERTRADE_START=START.isoformat(),
            PAPERTRADE_WORKERS="2",
            PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS="600",
        )
        self.chance = random.Random(seed)
        self.journal = Journal()
        self.server.wait_for("ready in")
        wait_until(lambda: all(self.alive(victim) for victim in VICTIMS), "worker and beat")
        self.resting_books = [open_account(self.server) for _ in range(resting_books)]
        self.resting_orders = resting_orders
        self.resting_since = START
        self._leave_resting_orders()
        self.bots = Bots(self.server, self.journal, BOTS, seed)

    def _leave_resting_orders(self) -> None:
        """Good-till-canceled buys that no quote reaches: each open evaluates all of them."""
        order = {
            "symbol": "IBM",
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "limit_price": "1",
            "time_in_force": "gtc",
        }

        def leave(account: str) -> None:
            for number in range(self.resting_orders):
                name = f"resting-{account}-{self.resting_since:%Y%m%d}-{number}"
                send(self.server, self.journal, account, name, order)

        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(leave, self.resting_books))
        assert not self.journal.refused, self.journal.refused

    def _renew_resting_orders(self) -> None:
        """A long trial outlives them."""
        with self._database() as database:
            (now,) = database.execute("SELECT through FROM marketdata_marketclock").fetchone() or (START,)
        if now - self.resting_since > RESTING_ORDERS_LAST:
            self.resting_since = now
            self._leave_resting_orders()

    def alive(self, victim: str) -> list[int]:
        """The pids of that part of the server."""
        known = (line.split(maxsplit=1) for line in self.server.processes())
        return [int(pid) for pid, command in known if VICTIMS[victim](command)]

    def round(self, victim: str, *, in_sweep: bool) -> str:
        """Trade, kill -9, wait for everything to be back, check the journal; what happened in a line."""
        self._renew_resting_orders()
        self.bots.go()
        caught = in_sweep and self._wait_for_a_sweep()
        time.sleep(self.chance.uniform(0, SWEEP_SECONDS if caught else LONGEST_PAUSE_SECONDS))
        began = time.monotonic()
        os.kill(self.chance.choice(self.alive(victim)), signal.SIGKILL)
        time.sleep(self.chance.uniform(0, 1))  # the bots go on into the outage
        self.bots.pause()
        self._await_recovery()
        seconds = time.monotonic() - began
        with self._database() as database:
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            database.autocommit = False
            self.journal.check(database)
        moment = "in a sweep" if caught else "at any time"
        return f"{victim} killed {moment}, back after {seconds:.1f} s, {len(self.journal.acknowledged)} orders"

    def stop(self) -> None:
        """End bots and server."""
        self.bots.stop()
        self.server.stop()

    def _wait_for_a_sweep(self) -> bool:
        deadline = time.monotonic() + SWEEP_WAIT_SECONDS
        with self._database() as database:
            while time.monotonic() < deadline:
                if _count(database, "SELECT count(*) FROM orders_sessionrun WHERE finished_at IS NULL"):
                    return True
                time.sleep(SWEEP_POLL_SECONDS)
        return False

    def _await_recovery(self) -> None:
        """All processes live, runs of before are finished, and the market moves again."""
        wait_until(lambda: all(self.alive(victim) for victim in VICTIMS), "every process again")
        wait_until(self._database_answers, "the database again")
        with self._database() as database:
            (last_run,) = database.execute("SELECT coalesce(max(id), 0) FROM orders_sessionrun").fetchone() or (0,)
            stood = database.execute("SELECT through FROM marketdata_marketclock").fetchone()
            unfinished = f"SELECT count(*) FROM orders_sessionrun WHERE finished_at IS NULL AND id <= {last_run}"
            wait_until(lambda: _count(database, unfinished) == 0, "the end of the sweep")
            wait_until(
                lambda: database.execute("SELECT through FROM marketdata_marketclock").fetchone() != stood,
                "exchange time",
            )

    def audit(self) -> None:
        """The project's own audit of all books, while the market goes on."""
        urls = json.loads((self.server.folder / "servers.json").read_text())
        done = subprocess.run(
            [sys.executable, "manage.py", "audit_books"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            env={**os.environ, **urls, "PAPERTRADE_VAR": str(self.server.folder)},
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def _database(self) -> psycopg.Connection:
        urls = json.loads((self.server.folder / "servers.json").read_text())
        return psycopg.connect(urls["DATABASE_URL"], autocommit=True, connect_timeout=5)

    def _database_answers(self) -> bool:
        try:
            with self._database():
                return True
        except psycopg.OperationalError:
            time.sleep(POLL_SECONDS)
            return False


def _count(database: psycopg.Connection, statement: str) -> int:
    (found,) = database.execute(statement).fetchone() or (0,)
    return found
