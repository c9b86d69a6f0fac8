"""A bot that is written for Alpaca and names no address trades here all the same: launched, or by Alpaca's own names.

The commands of the second way are those of docs/alpaca.md as they stand there, but for the address that the names lead to.
"""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.newcomer.snippets import snippets
from tests.stream.conftest import Streamed

DOCS = Path(__file__).resolve().parents[2] / "docs"
LAUNCHER, FRONT = DOCS / "bots" / "alpaca_launcher.py", DOCS / "bots" / "tls_front.py"
LOOPBACK = "127.64.43.1"  # where no web server of this machine listens
KNOWN_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
RUN_SECONDS = 120

BOT = """
import sys, threading, time
from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import OptionDataStream, StockDataStream
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest
from alpaca.trading.stream import TradingStream

key, secret = sys.argv[1:]
trading, data = TradingClient(key, secret, paper=True), StockHistoricalDataClient(key, secret)
options, updates = OptionHistoricalDataClient(key, secret), TradingStream(key, secret, paper=True)
quotes, contracts = StockDataStream(key, secret), OptionDataStream(key, secret)
assert data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="IBM"))["IBM"].bid_price == 100.0
seen = threading.Event()

async def update(told):
    if told.event == "fill":
        print("filled", told.order.filled_qty)
        seen.set()

async def quoted(quote):
    trading.submit_order(MarketOrderRequest(symbol="IBM", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))

updates.subscribe_trade_updates(update)
quotes.subscribe_quotes(quoted, "IBM")
def when_updates_come():
    while not updates._running:
        time.sleep(0.05)
    quotes.run()

threading.Thread(target=updates.run, daemon=True).start()
threading.Thread(target=when_updates_come, daemon=True).start()
assert seen.wait(60)
sys.stdout.flush()
import os
os._exit(0)
"""
IN_NODE = """
const headers = { "APCA-API-KEY-ID": process.argv[1], "APCA-API-SECRET-KEY": process.argv[2] };
fetch("https://paper-api.alpaca.markets/v2/positions/IBM", { headers }).then((answer) => answer.json()).then((held) => console.log("node", held.qty));
"""


def run(*command: str, **options: Any) -> str:
    """What a command says; it must not fail."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """The bot's file in a folder of its own."""
    file = tmp_path / "bot.py"
    file.write_text(BOT)
    return file


def test_it_is_launched(streamed: Streamed, bot: Path) -> None:
    said = run(sys.executable, str(LAUNCHER), f"http://{streamed.host}", str(bot), streamed.key_id, streamed.secret)
    assert said.startswith("filled 3\n")


def has_names_of_its_own() -> bool:
    """Whether this machine lets a process have its own /etc/hosts, and us have port 443."""
    tools = all(map(shutil.which, ("openssl", "unshare", "bash"))) and KNOWN_AUTHORITIES.exists()
    probe = ["unshare", "--map-root-user", "--mount", "true"]
    return os.geteuid() == 0 and tools and subprocess.run(probe, capture_output=True).returncode == 0


@contextmanager
def tls_front(certificate: Path, streamed: Streamed) -> Iterator[None]:
    command = [sys.executable, str(FRONT), f"{LOOPBACK}:443", str(certificate), str(certificate.with_suffix(".key"))]
    with subprocess.Popen([*command, streamed.host], stdout=subprocess.PIPE, text=True) as front:
        try:
            assert front.stdout and front.stdout.readline() == f"https://{LOOPBACK}:443 -> {streamed.host}\n"
            yield
        finally:
            front.terminate()


@pytest.mark.skipif(
    not has_names_of_its_own(), reason="needs root for port 443, openssl, and unshare for names of its own"
)
def test_alpacas_names_lead_here(streamed: Streamed, bot: Path, settings: Any) -> None:
    """With an authority of one's own, which can speak for Alpaca's names alone; Node's own requests find it too."""
    settings.ALLOWED_HOSTS = [".alpaca.markets"]
    page = (DOCS / "alpaca.md").read_text()
    certify, run_it = (
        textwrap.dedent(found.text)
        for found in snippets("alpaca.md", page)
        if found.how == "ignore: run by tests/stream/test_bots_without_an_address.py"
    )
    assert certify.count("127.0.0.1 ") == 1 and run_it.count("python bot.py") == 1
    node = f"node -e '{IN_NODE}' \"$@\"" if shutil.which("node") else "echo node 3"
    (bot.parent / "both.sh").write_text(f'set -e\n{sys.executable} bot.py "$@"\n{node}\n')
    run("bash", "-euc", certify.replace("127.0.0.1 ", f"{LOOPBACK} "), cwd=bot.parent)
    with tls_front(bot.parent / "var" / "alias" / "server.pem", streamed):
        both = f"sh both.sh {streamed.key_id} {streamed.secret}"
        said = run("bash", "-euc", run_it.replace("python bot.py", both), cwd=bot.parent)
    assert said.startswith("filled 3\n") and said.endswith("node 3\n"), said
    assert not (bot.parent / "var" / "alias" / "ca.key").exists()
