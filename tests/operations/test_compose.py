"""compose.yaml and Dockerfile, without a container engine: what they name exists, and the commands themselves run and trade.

The commands of web, feed, two workers and beat are started as local processes, with the environment that the file gives
them, against the PostgreSQL and Valkey of the test run. The images themselves are not built here.
"""

import contextlib
import json
import os
import re
import select
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from papertrade.lib import env
from tests.operations.pooler import PROGRAM, Pooler
from tests.services_plugin import APP_URL
from tests.stack.server import free_port, wait_until

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "papertrade"}
PROGRAMS = {"python", "celery"}
GIVEN = {
    "DOMAIN": "paper.example.com",
    "POSTGRES_PASSWORD": "p",
    "APP_PASSWORD": "a",
    "VALKEY_PASSWORD": "v",
    "PAPERTRADE_SECRET_KEY": "0123456789" * 6,
    "PAPERTRADE_METRICS_TOKEN": "0123456789" * 3,
}


def filled(text: str) -> str:
    """A value with its variables in place, as compose does it."""
    return re.sub(r"\$\{(\w+):\?\}", lambda match: GIVEN[match.group(1)], text)


def test_every_process_is_there_and_only_the_proxy_is_reachable() -> None:
    assert set(COMPOSE["services"]) == {*OURS, "postgres", "valkey", "proxy"}
    assert set(OURS) == {"prepare", "web", "feed", "worker", "beat"}
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["proxy"]


@pytest.mark.parametrize("name", OURS)
def test_its_variables_are_settings(name: str) -> None:
    import papertrade.settings  # noqa: F401

    assert set(OURS[name]["environment"]) <= {*env.SEEN, env.OWNER}
    assert (env.OWNER in OURS[name]["environment"]) == (name == "prepare"), "nobody else knows the owner's password"
    assert OURS[name]["command"][0] in PROGRAMS


def test_no_secret_is_written_into_either_file() -> None:
    for name, value in OURS["web"]["environment"].items():
        if any(word in name for word in ("KEY", "TOKEN", "URL")):
            assert "${" in value, name
    assert not re.search(r"(?i)(password|secret|token)\s*=", DOCKERFILE)


def test_the_image_runs_as_nobody_in_particular_and_holds_all_of_the_code() -> None:
    assert DOCKERFILE.index("USER papertrade") > DOCKERFILE.rindex("COPY")
    ignored = (PROJECT / ".dockerignore").read_text()
    for app in ("papertrade", "accounts", "marketdata", "orders", "portfolio", "templates", "static"):
        assert f"COPY {app} {app}" in DOCKERFILE
        assert f"!{app}\n" in ignored
    last = DOCKERFILE.strip().splitlines()[-1]
    assert json.loads(last.removeprefix("CMD ")) == OURS["web"]["command"]


def test_the_servers_are_asked_as_they_will_be_used() -> None:
    """PostgreSQL over TCP, which its first start does not serve yet; Valkey with its password, and its refusals count."""
    ask_postgres, ask_valkey = (COMPOSE["services"][name]["healthcheck"]["test"] for name in ("postgres", "valkey"))
    assert ask_postgres[ask_postgres.index("--host") + 1] == "127.0.0.1"
    assert ask_valkey[ask_valkey.index("-a") + 1] == COMPOSE["services"]["valkey"]["command"][2]
    assert "-e" in ask_valkey
    assert COMPOSE["services"]["prepare"]["restart"] == "on-failure"


def test_a_database_that_is_not_there_yet_is_waited_for(empty_database: str) -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    given = urlsplit(empty_database)
    far = given._replace(netloc=f"{given.username}:{given.password}@127.0.0.1:{port}").geturl()
    environment = {**os.environ, "DATABASE_URL": far, "PYTHONUNBUFFERED": "1"}
    preparing = subprocess.Popen(
        [sys.executable, "manage.py", "prepare"], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert preparing.stdout is not None
    assert "waiting up to" in preparing.stdout.readline()
    with relay(port, given.port or 5432):
        assert preparing.wait(120) == 0


@contextlib.contextmanager
def relay(port: int, target: int) -> Iterator[None]:
    """The server at one port can be reached at another, from now on."""

    class Both(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", target)) as server:
                ends = {server: self.request, self.request: server}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        if not (text := end.recv(65_536)):
                            return
                        ends[end].sendall(text)

    with socketserver.ThreadingTCPServer(("127.0.0.1", port), Both) as serving:
        serving.daemon_threads = True
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield
        serving.shutdown()


@pytest.mark.slow
def test_the_commands_run_and_trade(tmp_path: Path, empty_database: str) -> None:
    port = free_port()
    own = {name: filled(value) for name, value in OURS["web"]["environment"].items()}
    broker = os.environ["REDIS_URL"].rsplit("/", 1)[0] + "/15"
    # With two roles, as in the file, where the server is ours.
    app = f"{os.environ.get(APP_URL, empty_database).rsplit('/', 1)[0]}/{empty_database.rsplit('/', 1)[1]}"
    environment = {
        **os.environ,
        **own,
        "DATABASE_URL": app,
        "REDIS_URL": broker,
        "PAPERTRADE_VAR": str(tmp_path),
        "PAPERTRADE_PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "papertrade.settings",
    }

    pooled = None
    if PROGRAM is not None:  # web is behind PgBouncer, where that is installed: who needs a session is not
        (tmp_path / "pooler").mkdir()
        pooled = Pooler(tmp_path / "pooler", to_url=app, statements_kept=100)

    def start(name: str) -> subprocess.Popen[bytes]:
        command = [
            part.replace("/var/lib/papertrade", str(tmp_path)).replace("0.0.0.0", "127.0.0.1")
            for part in OURS[name]["command"]
        ]
        program = [sys.executable] if command[0] == "python" else [sys.executable, "-m", command[0]]
        more = {env.OWNER: empty_database} if env.OWNER in OURS[name]["environment"] else {}
        if name == "web" and pooled is not None:
            more["DATABASE_URL"] = pooled.url(empty_database.rsplit("/", 1)[1])
        return subprocess.Popen([*program, *command[1:]], cwd=PROJECT, env={**environment, **more})

    def ask(method: str, path: str, body: Any = None, token: str = "", host: str = GIVEN["DOMAIN"]) -> Any:
        headers = {"Host": host, "X-Forwarded-Proto": "https", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", data, {**headers, "Authorization": f"Bearer {token}"}, method=method
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read().decode()
        return text if path == "/metrics" else json.loads(text)

    def ready() -> bool:
        try:
            return (
                ask("GET", "/readyz", host="10.1.2.3")["status"] == "ok" and ask("GET", "/v1/status/")["status"] == "ok"
            )
        except (urllib.error.URLError, OSError):
            return False

    assert start("prepare").wait(120) == 0
    processes = [start(name) for name in ("web", "feed", "worker", "worker", "beat")]
    try:
        wait_until(ready, "web and feed answer")
        known = json.loads((tmp_path / "credentials.json").read_text())
        assert known["base_url"] == f"https://{GIVEN['DOMAIN']}/v1"
        key = known["paper_key"]
        account = ask("POST", "/v1/paper/accounts/", {}, key)["account"]["id"]
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        sent = ask("POST", f"/v1/paper/accounts/{account}/orders/", order, key)
        path = f"/v1/paper/accounts/{account}/orders/{sent['id']}/"
        wait_until(lambda: ask("GET", path, token=key)["status"] == "filled", "the order is filled")
        assert 'papertrade_orders_total{reason="",status="filled"} 1.0' in ask(
            "GET", "/metrics", token=GIVEN["PAPERTRADE_METRICS_TOKEN"]
        )
        assert all(process.poll() is None for process in processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
        if pooled is not None:
            pooled.stop()
