"""`papertrade replay [--recording PATH]`: play a recorded live session again, and compare the ledgers.

The session's books are read and never written: the replay runs in a process of its own, in a recorded market at speed 0, on
PostgreSQL and Valkey that are started for it in a folder of their own.
"""

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import PaperAccount
from marketdata.feeds import FeedError
from marketdata.markets.current import NOT_RECORDED
from papertrade.lib import env, lines
from papertrade.lib.files import private_file
from papertrade.proof.replay import CannotReplay, Stage, check_recording, write_script
from papertrade.proof.script import Script, as_json, from_json
from papertrade.stack import embedded

DIFFERENT, IMPOSSIBLE = 1, 2
PROJECT = Path(__file__).resolve().parents[3]


class Command(BaseCommand):
    help = (
        "Play the quotes that a live market recorded and its accounts' requests again from the beginning, on a database of "
        "their own, and say whether each run's ledger ends in the same head. Ends with status 0 if all do, 1 if one does not, "
        "2 if some cannot be compared."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--recording", type=Path, help="the folder of the recording (default: where this server records)"
        )
        parser.add_argument(
            "--account", action="append", type=UUID, default=[], help="only this one; may be given again"
        )
        parser.add_argument("--until", type=_instant, help="play up to this exchange time (default: all that is done)")
        parser.add_argument("--script", type=Path, help="play this script on this server, which has no accounts yet")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["script"]:
                self._play(from_json(options["script"].read_text(encoding="utf-8")))
                return
            recording = _recording(options["recording"])
            script = write_script(accounts=options["account"], until=options["until"])
        except (CannotReplay, FeedError) as problem:
            raise CommandError(str(problem), returncode=IMPOSSIBLE) from None
        for sentence in script.left_out:
            self.stderr.write(sentence)
        status = _play_apart(script, recording)
        if status or script.left_out:
            sys.exit(status or IMPOSSIBLE)

    def _play(self, script: Script) -> None:
        """The replay itself, on a database of its own."""
        if settings.PAPERTRADE_MARKET != "recorded" or PaperAccount.objects.exists():
            raise CannotReplay("A script is played in a recorded market, on a server without accounts.")
        check_recording(script)
        with lines.silence():
            verdicts = Stage().play(script)
        for one in verdicts:
            said = f"differs: {one.problem}" if one.problem else "equal"
            self.stdout.write(f"account {one.account} run {one.generation}: {one.transactions} transactions, {said}")
        different = sum(bool(one.problem) for one in verdicts)
        self.stdout.write(
            f"{len(script.requests)} requests played until {script.until.isoformat()}: "
            f"{len(verdicts) - different} ledger heads equal, {different} different."
        )
        if different:
            sys.exit(DIFFERENT)


def _instant(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not an ISO 8601 time such as 2026-11-20T14:30:00Z") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _recording(given: Path | None) -> Path:
    if given is None and settings.PAPERTRADE_RECORD == NOT_RECORDED:
        raise CannotReplay("This server records nothing (PAPERTRADE_RECORD=off): say --recording.")
    place = (given or Path(settings.PAPERTRADE_RECORD)).resolve()
    if not place.exists():
        raise CannotReplay(f"There is no recording at {place}: say --recording.")
    return place


def _play_apart(script: Script, recording: Path) -> int:
    """Play it on servers that are started for it; the exit status. Raises CommandError where they cannot be started."""
    with tempfile.TemporaryDirectory(prefix="papertrade-replay-") as made:
        var = Path(made)
        folder = embedded.own(var)
        try:
            servers = embedded.start(folder, durable=False)
            try:
                file = var / "script.json"
                private_file(file, as_json(script))
                apart = {
                    **os.environ,
                    "DATABASE_URL": servers.database_url,
                    env.OWNER: servers.owner_url,
                    "REDIS_URL": servers.redis_url,
                    "PAPERTRADE_VAR": str(var),
                    "PAPERTRADE_SECRET_KEY": settings.SECRET_KEY,
                    "PAPERTRADE_MARKET": "recorded",
                    "PAPERTRADE_RECORDING": str(recording),
                    "PAPERTRADE_SPEED": "0",
                    "PAPERTRADE_START": script.begins.isoformat(),
                    "PAPERTRADE_DELAY_SECONDS": "0",
                }
                manage = [sys.executable, str(PROJECT / "manage.py")]
                prepared = subprocess.run([*manage, "prepare"], env=apart, capture_output=True, text=True, check=False)
                if prepared.returncode:
                    raise CommandError(prepared.stderr.strip().rpartition("\n")[2], returncode=IMPOSSIBLE)
                return subprocess.run([*manage, "replay", "--script", str(file)], env=apart, check=False).returncode
            finally:
                servers.stop()
        except embedded.EmbeddedError as problem:
            raise CommandError(f"No servers for the replay: {problem}", returncode=IMPOSSIBLE) from None
        finally:
            folder.release()
