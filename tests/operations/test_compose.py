"""compose.yaml and Dockerfile, without a container engine: what they name exists. test_hosts.py runs the commands."""

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
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from papertrade.lib import env
from papertrade.stack.embedded.process import free_port
from tests.operations.composed import COMPOSE, OURS
from tests.stack.server import PROJECT

DOCKERFILE = (PROJECT / "Dockerfile").read_text()
PROGRAMS = {"python", "celery"}


def test_every_process_is_there_and_only_the_proxy_is_reachable() -> None:
    assert set(COMPOSE["services"]) == {*OURS, "postgres", "valkey", "proxy"}
    assert set(OURS) == {"prepare", "web", "feed", "worker", "beat"}
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["proxy"]


def test_the_proxy_has_the_file_of_the_docs() -> None:
    proxy = COMPOSE["services"]["proxy"]
    given, place, _ = proxy["volumes"][0].split(":")
    assert place == "/etc/caddy/Caddyfile", "which the image reads by itself"
    assert set(proxy["environment"]) == set(re.findall(r"\{\$(\w+)\}", (PROJECT / given).read_text()))


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
    port = free_port()
    given = urlsplit(empty_database)
    far = given._replace(netloc=f"{given.username}:{given.password}@127.0.0.1:{port}").geturl()
    environment = {**os.environ, "DATABASE_URL": far, "PYTHONUNBUFFERED": "1"}
    preparing = subprocess.Popen(
        [sys.executable, "manage.py", "prepare"], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert preparing.stdout is not None
    assert "waiting up to" in preparing.stdout.readline()
    with relay(port, given.port or 5432):
        assert preparing.wait(300) == 0


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
