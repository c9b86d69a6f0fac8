"""The `papertrade` command: what users and operators type, in any folder, to run the server or a command of manage.py.

Help, version and the choice of what to run need nothing installed. Each command of manage.py whose module begins with
"`papertrade NAME ...`: what it does" has that name, and that line in the help. One that works on the database uses the server
that runs on the var folder; where none runs, PostgreSQL and Valkey are started for as long as it takes.
"""

import argparse
import ast
import difflib
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from papertrade import __version__
from papertrade.stack.embedded import EmbeddedError
from papertrade.stack.environment import DEVELOPER_LOCK, PROJECT, SERVER_LOCK, Environment, SetupError, say
from papertrade.stack.servers import for_a_command

ENTRY = PROJECT / "bin" / "papertrade"
# Relative ones are meant from where they were typed.
PATHS = ("PAPERTRADE_VAR", "PAPERTRADE_RECORDING", "PAPERTRADE_RECORD")
NO_PATH = "off"  # PAPERTRADE_RECORD=off records nothing
# For a command that reads files and asks no server.
NO_SERVERS = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
NEED_NO_SERVER = {"check_recording", "convert", "check_provider", "write_codes"}
MAKES_A_SERVER = {"restore"}
STOPPED = 130


class UsageError(Exception):
    """What was typed makes no sense; the message is a sentence that says why."""


@dataclass(frozen=True)
class Start:
    """A command that runs the server: arguments of papertrade.stack, the lock it needs, and settings of its own."""

    usage: str
    summary: str
    arguments: tuple[str, ...] = ()
    lock: str = SERVER_LOCK
    var: str = "var"


@dataclass(frozen=True)
class Manage:
    """A command of manage.py under the name that people type."""

    usage: str
    summary: str
    module: str


STARTS = {
    "run": Start("[--port N] ...", "the server: dashboard, API and admin, until Ctrl-C"),
    "demo": Start("", "the same, on accounts with weeks of trading behind them", ("seed_demo",), var="var-demo"),
    "dev": Start("", "the server, started again whenever code changes", ("--reload",), DEVELOPER_LOCK),
}
# `run --port 8001` is PAPERTRADE_PORT=8001, and so on.
SETTINGS = {
    "port": "the port on 127.0.0.1 (8000)",
    "var": "the folder that keeps everything (var, beside the code)",
    "market": "simulated: invented quotes, the default; recorded; live",
    "recording": "a file or folder of recorded quotes; implies --market recorded",
    "start": "where exchange time starts, such as 2026-11-20T14:30Z",
    "speed": "exchange seconds a wall second (1); 0: the clock moves when it is told to",
}
OF_DJANGO = {"password": Manage("USER", "set another password", "changepassword")}
GROUPS = (
    ("Start", ("run", "demo", "dev", "setup")),
    ("Quotes", ("convert", "check-recording", "make-recording", "check-provider")),
    ("Books", ("audit", "bundle", "export-heads", "verify-heads", "replay", "settle")),
    ("Operate", ("trading-day", "prepare", "backup", "restore", "retain", "password", "version")),
)
OTHERS = {
    "setup": ("[--dev]", "install what the server (or a developer) needs, and no more"),
    "version": ("", "of papertrade and Python"),
}
INTRODUCTION = (
    f"papertrade {__version__}: a paper broker for US stocks and options, on your own machine.\n\n"
    "Bots and people send it orders. It fills them at the quoted bid or ask, says why when it does not, and keeps\n"
    "books that can be audited. It sends nothing to any real broker, and needs no account anywhere."
)
_FIRST_LINE = re.compile(r"`papertrade ([a-z-]+) ?([^`]*)`: (.+)")


def main(typed: Sequence[str]) -> int:
    """Do what was typed; the exit status. A failure that the user can fix is one sentence."""
    name, *rest = typed or ["help"]
    try:
        if name in {"help", "--help", "-h"}:
            print(help_text())
        elif name in {"version", "--version", "-V"}:
            print(f"papertrade {__version__}, Python {sys.version.split()[0]}, in {PROJECT}")
        elif name == "setup":
            _setup(rest)
        elif name in STARTS:
            return _start(name, rest)
        else:
            return _manage(name, rest)
    except (SetupError, UsageError, EmbeddedError) as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return STOPPED
    return 0


def commands() -> dict[str, Manage]:
    """The commands of manage.py that people type, by the name they type."""
    found = dict(OF_DJANGO)
    for path in sorted(PROJECT.glob("*/management/commands/[a-z]*.py")):
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        if match := _FIRST_LINE.match(" ".join(first.split())):
            name, usage, summary = match.groups()
            found[name] = Manage(usage, summary.rstrip("."), path.stem)
    return found


def help_text() -> str:
    """What can be typed, in groups; a command that no group names stands in the last."""
    lines = dict(OTHERS)
    lines |= {name: (start.usage, start.summary) for name, start in STARTS.items()}
    lines |= {name: (command.usage, command.summary) for name, command in commands().items()}
    grouped = {name for _, names in GROUPS for name in names}
    groups = (*GROUPS, ("More", tuple(sorted(lines.keys() - grouped))))
    text = [INTRODUCTION, "", "usage: papertrade COMMAND [options]; papertrade COMMAND --help says more"]
    for title, names in groups:
        there = [name for name in names if name in lines]
        text += ["", title] if there else []
        for name in there:
            usage, summary = lines[name]
            text.append(f"  {f'{name} {usage}':<40} {summary}")
    return "\n".join(text)


def _setup(rest: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="papertrade setup")
    parser.add_argument("--dev", action="store_true", help="developer tools too")
    Environment().ready(DEVELOPER_LOCK if parser.parse_args(rest).dev else SERVER_LOCK)


def _start(name: str, rest: list[str]) -> int:
    """Replace this process by the server."""
    start = STARTS[name]
    parser = argparse.ArgumentParser(prog=f"papertrade {name}", description=start.summary)
    for option, meaning in SETTINGS.items():
        parser.add_argument(f"--{option}", help=meaning)
    given = {option: value for option, value in vars(parser.parse_args(rest)).items() if value is not None}
    if "recording" in given:
        given.setdefault("market", "recorded")
    os.environ.update({f"PAPERTRADE_{option.upper()}": value for option, value in given.items()})
    _fix_paths(start.var)
    _enter(start.lock, [name])
    os.chdir(PROJECT)
    os.execv(sys.executable, [sys.executable, "-m", "papertrade.stack", *start.arguments])


def _manage(name: str, rest: list[str]) -> int:
    known = commands()
    modules = {path.stem for path in PROJECT.glob("*/management/commands/[a-z]*.py")}
    module = known[name].module if name in known else name.replace("-", "_")
    if name not in known and module not in modules:
        close = difflib.get_close_matches(name, [*known, *STARTS, *OTHERS], n=1)
        hint = f"Did you mean {close[0]}?" if close else "`papertrade help` lists what there is."
        raise UsageError(f"There is no command {name}. {hint}")
    _fix_paths(STARTS["run"].var)
    _enter(SERVER_LOCK, [name, *rest])
    command = [sys.executable, str(PROJECT / "manage.py"), module, *rest]
    if module in NEED_NO_SERVER or {"-h", "--help"} & set(rest):
        settings = {**NO_SERVERS, "PAPERTRADE_SECRET_KEY": secrets.token_urlsafe(50), **os.environ}
        return subprocess.run(command, env=settings, check=False).returncode
    with for_a_command(Path(os.environ["PAPERTRADE_VAR"]), make=module in MAKES_A_SERVER):
        return subprocess.run(command, check=False).returncode


def _fix_paths(var: str) -> None:
    if not os.environ.get("PAPERTRADE_VAR", "").strip():
        os.environ["PAPERTRADE_VAR"] = str(PROJECT / var)
    for name in PATHS:
        given = os.environ.get(name, "").strip()
        if given and given != NO_PATH:
            os.environ[name] = str(Path(given).expanduser().absolute())


def _enter(lock: str, typed: list[str]) -> None:
    """Go on in an interpreter that has the lock's packages, installed now where they are missing.

    Where there is no lock (in an image), the running one has them all. Options that were typed are in os.environ by now.
    """
    if not (PROJECT / lock).exists():
        return
    python = Environment().ready(lock)
    if Path(sys.prefix).resolve() != python.parents[1].resolve():
        os.execv(python, [str(python), str(ENTRY), *typed])
