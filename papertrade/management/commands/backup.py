"""`papertrade backup FILE`: the whole database into a file, while the server trades or while it is stopped."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papertrade.lib.postgres import as_owner
from papertrade.operations import backup

TABLE = "dumping contents of table"


class Command(BaseCommand):
    help = (
        "Write the database to a file that `papertrade restore` reads. It has neither the secret key nor the settings."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} exists, and a backup overwrites nothing: choose another name.")
        if not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}.")
        try:
            with as_owner():
                for line in backup.backup(path=path):
                    if TABLE in line:
                        self.stderr.write(line)
        except backup.DumpError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{path}: {path.stat().st_size:,} bytes")
