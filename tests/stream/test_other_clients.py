"""Alpaca's clients that cannot be installed beside the project's own packages, unmodified, each in a folder of its own.

They are fetched from their registries once, and skipped with a message where no registry is. What takes more than seconds to
fetch is driven in `make torture`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import TokenFactory
from tests.market_kit import CALL, STOCK, MarketKit
from tests.stream.conftest import Streamed

HERE = Path(__file__).parent / "clients"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "papertrade-test-clients"
INSTALL_SECONDS, RUN_SECONDS = 600, 180
UV = str(Path(sys.executable).with_name("uv"))
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BOTS = Path(__file__).resolve().parents[2] / "docs" / "bots"
NOW = "14:04:30"
# The older client's own dependencies that are not among ours, or that it needs an older version of.
OLDER = [
    "alpaca-trade-api==3.2.0",
    "websockets==10.4",
    "websocket-client",
    "deprecation",
    "aiohttp",
    "aiohappyeyeballs",
]
OLDER += ["aiosignal", "frozenlist", "multidict", "propcache", "yarl"]


@pytest.fixture
def known_market(streamed: Streamed, market_kit: MarketKit) -> Streamed:
    """14:04:30: a stock and a contract whose quotes the drivers know by heart, and one stock with a bid alone."""
    stamps = [(minute, second) for minute in range(6) for second in (0, 15, 30, 45)]
    prices = [(f"14:{m:02d}:{s:02d}", 100 + m + s / 100) for m, s in stamps]
    market_kit.play(
        *(f"{stamp} {STOCK} {bid:.2f} {bid + 0.1:.2f} 500 300" for stamp, bid in prices),
        *(f"{stamp} {CALL} 4.00 4.20 20 10" for stamp, _ in prices),
        "14:00:05 KO 60.00 - 100 0",
        start=NOW,
    )
    streamed.desk.reset(initial_cash="100000")  # its clock begins with this market
    return streamed


def drive(command: list[str], streamed: Streamed, **more: str) -> str:
    """Run a driver against the server; what it says. It fails where an answer is not what it should be."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/tmp"),
        "SERVER": f"http://{streamed.host}",
        "KEY_ID": streamed.key_id,
        "SECRET": streamed.secret,
        "MARKET_KEY": TokenFactory(user=streamed.account.user, scopes=["market"]),  # it moves the clock
        "APCA_API_DATA_URL": f"http://{streamed.host}",
        **more,
    }
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, env=env)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def fetched(place: Path, *commands: list[str]) -> Path:
    """A folder that the commands have filled, kept for the next run; skips where they cannot."""
    if (place / "whole").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for command in commands:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode:
            pytest.skip(f"{command[0]} cannot fetch it here: {done.stderr.strip()[-200:]}")
    (place / "whole").touch()
    return place


def test_the_older_python_client(known_market: Streamed) -> None:
    place = CACHE / f"alpaca-trade-api-3.2.0-beside-{PYTHON}"
    fetched(place, [UV, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--target", ".", *OLDER])
    command = [sys.executable, str(HERE / "alpaca_trade_api_calls.py")]
    assert drive(command, known_market, PYTHONPATH=str(place)) == "57 calls, and the streams\n"


def environment(package: str) -> str:
    """The Python of an environment that has the package and all that it asks for."""
    place = CACHE / f"{package.replace('==', '-')}-{PYTHON}"
    python = str(place / "bin" / "python")
    fetched(place, [sys.executable, "-m", "venv", "."], [UV, "pip", "install", "--quiet", "--python", python, package])
    return python


@pytest.mark.torture
def test_their_mcp_server(known_market: Streamed) -> None:
    command = [environment("alpaca-mcp-server==2.4.0"), str(HERE / "alpaca_mcp_calls.py"), str(BOTS)]
    assert drive(command, known_market) == "12 tools\n"


@pytest.mark.torture
def test_lumibot(known_market: Streamed) -> None:
    """Its broker for Alpaca has no address to set, so it is launched as docs/alpaca.md says."""
    launcher, strategy = str(BOTS / "alpaca_launcher.py"), str(HERE / "lumibot_strategy.py")
    command = [environment("lumibot==4.6.30"), launcher, f"http://{known_market.host}", strategy]
    assert drive([*command, known_market.key_id, known_market.secret], known_market).endswith("4 iterations\n")


@pytest.mark.skipif(not shutil.which("npm"), reason="no node and npm here")
@pytest.mark.parametrize(
    ("package", "driver", "said"),
    [
        ("@alpacahq/alpaca-trade-api@4.0.2", "alpaca_js_calls.mjs", "80 calls, and the streams\n"),
        ("@alpacahq/alpaca-trade-api@3.1.3", "alpaca_js3_calls.cjs", "60 calls, and the streams\n"),
    ],
)
def test_the_javascript_clients(known_market: Streamed, package: str, driver: str, said: str) -> None:
    place = CACHE / package.replace("/", "-")
    fetched(place, ["npm", "install", "--silent", "--no-audit", "--no-fund", package])
    beside = shutil.copy(HERE / driver, place)  # node looks for packages beside what it runs
    assert drive(["node", beside], known_market) == said
