"""The embedded servers: data that survives, one owner, no second server on the same data."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from papertrade.stack import embedded
from papertrade.stack.embedded.process import LINUX, end_leftover
from tests.stack.server import PROJECT, wait_until


def ask(url: str, statement: str) -> object:
    """The first value of the first row, where there is one."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_data_outlives_a_kill_and_a_stop(folder: Path) -> None:
    owned = embedded.own(folder)
    first = embedded.start(owned)
    ask(first.owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(first.redis_url).set("kept", "7")
    for server in first.running:
        assert server.process is not None
        server.process.kill()
    first.stop()
    second = embedded.start(owned)
    try:
        assert ask(second.owner_url, "SELECT n FROM kept") == 7
        assert redis.Redis.from_url(second.redis_url).ping()
        for url in (second.database_url, second.owner_url):
            assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    finally:
        second.stop()


def test_a_folder_of_release_0_1_gets_its_two_roles(folder: Path) -> None:
    """One role did everything then, and the superuser had its password."""
    owned = embedded.own(folder)
    first = embedded.start(owned, valkey=False)
    password, owner_password = ((folder / name).read_text() for name in ("servers_password", "owner_password"))
    superuser = first.owner_url.replace("papertrade_owner:", "owner:")
    for statement in (
        "ALTER DATABASE papertrade OWNER TO papertrade",
        "CREATE TABLE kept AS SELECT 7 AS n",
        "ALTER TABLE kept OWNER TO papertrade",
        "DROP ROLE papertrade_owner",
        "ALTER ROLE papertrade CREATEDB",
        f"ALTER ROLE owner PASSWORD '{password}'",
    ):
        ask(superuser, statement)
    first.stop()
    (folder / "owner_password").unlink()

    second = embedded.start(owned, valkey=False)
    try:
        assert ask(second.owner_url, "SELECT n FROM kept") == 7
        assert ask(second.owner_url, "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'") == "papertrade_owner"
        assert ask(second.database_url, "SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user") is False
        for known in (password, owner_password):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                ask(second.database_url.replace(f"papertrade:{password}", f"owner:{known}"), "SELECT 1")
    finally:
        second.stop()


def test_a_log_that_grew_large_begins_anew(folder: Path) -> None:
    running = embedded.start(embedded.own(folder), postgres=False)
    try:
        (server,) = running.running
        with open(server.log, "ab") as log:
            log.write(b"a line\n" * 1_500_000)
        before = server.log.stat().st_size
        server.keep_log_small()
        earlier = server.log.with_name(f"{server.log.name}.1")
        assert (earlier.stat().st_size, earlier.stat().st_mode & 0o777) == (before, 0o600)
        assert redis.Redis.from_url(running.redis_url).ping()
        assert server.log.stat().st_size < 1000
        server.keep_log_small()
        assert earlier.stat().st_size == before, "a small one is left as it is"
    finally:
        running.stop()


def test_servers_that_outlived_their_supervisor_are_ended_first(folder: Path) -> None:
    owned = embedded.own(folder)
    left_behind = embedded.start(owned)
    ask(left_behind.owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    ours = embedded.start(owned)
    try:
        assert all(server.status() is not None for server in left_behind.running)
        assert ask(ours.owner_url, "SELECT n FROM kept") == 7
    finally:
        ours.stop()
        left_behind.stop()


def test_data_of_another_account_are_said_and_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = embedded.own(folder)
    embedded.start(owned, valkey=False).stop()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(embedded.EmbeddedError, match=r"belongs to account .* and would be run by 54321"):
        embedded.start(owned, valkey=False)


def test_either_server_can_be_one_of_your_own(folder: Path) -> None:
    only_valkey = embedded.start(embedded.own(folder), postgres=False)
    try:
        assert redis.Redis.from_url(only_valkey.redis_url).ping()
        assert only_valkey.database_url == ""
        assert not (folder / "postgres").exists()
    finally:
        only_valkey.stop()


def test_a_server_that_got_the_number_of_one_of_ours_goes_on(folder: Path, tmp_path: Path) -> None:
    """After a restart of the machine, when another folder's server was started first."""
    if not LINUX:
        pytest.skip("elsewhere nobody tells in which folder a process works")
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "valkey-server"], cwd=tmp_path)
    try:
        pid_file = folder / "pid"
        pid_file.write_text(str(other.pid))
        end_leftover(pid_file, "valkey-server", signal.SIGKILL)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def runs(pid: int) -> bool:
    """Whether a process does anything yet: one that nobody has buried is over."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_start_right_after_everything_was_killed(folder: Path) -> None:
    owned = embedded.own(folder)
    first = embedded.start(owned)
    connection = psycopg.connect(first.database_url, autocommit=True)
    parts = connection.info.backend_pid
    for server in first.running:
        os.kill(server.process.pid, signal.SIGKILL)  # and nobody buries them: their numbers stay taken
    second = embedded.start(owned)
    try:
        with psycopg.connect(second.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        wait_until(lambda: not runs(parts), "the end of the first server's parts")
    finally:
        second.stop()
        connection.close()
        for server in first.running:
            server.process.wait()


def test_without_the_right_to_search_every_folder_the_database_s_account_passes(folder: Path) -> None:
    """As root in many containers."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv: another user's database runs as that user")
    start = (
        "from pathlib import Path; import sys; from papertrade.stack import embedded; "
        "embedded.start(embedded.own(Path(sys.argv[1])), valkey=False).stop()"
    )
    subprocess.run(
        ["setpriv", "--bounding-set=-dac_read_search", "--inh-caps=-dac_read_search", "--", sys.executable, "-c", start, folder],
        check=True, cwd=PROJECT,
    )  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o710


def test_a_folder_has_one_owner(folder: Path) -> None:
    assert not embedded.is_owned(folder)
    owned = embedded.own(folder)
    assert embedded.is_owned(folder)
    with pytest.raises(embedded.EmbeddedError, match=f"in use by process {os.getpid()}"):
        embedded.own(folder)
    owned.release()
    assert not embedded.is_owned(folder)
    embedded.own(folder).release()


def test_passwords_are_the_owners_alone(folder: Path) -> None:
    servers = embedded.start(embedded.own(folder), postgres=False)
    try:
        assert (folder / "servers_password").stat().st_mode & 0o777 == 0o600
        process = servers.running[0].process
        assert process is not None
        assert servers.running[0].password not in " ".join(map(str, process.args))
    finally:
        servers.stop()
