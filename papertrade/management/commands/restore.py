"""`papertrade restore FILE`: a backup into a server without accounts, or into a new folder (PAPERTRADE_VAR).

Then the migrations that are newer than it.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papertrade.lib.pooling import SessionNotOwn
from papertrade.lib.postgres import as_owner
from papertrade.operations import backup
from papertrade.operations.roles import RoleError, migrate
from papertrade.operations.upgrading import UnfitError

TABLE = "processing data for table"


class Command(BaseCommand):
    help = (
        "Replace this server's database, which must have no accounts, by a backup. For the embedded database: "
        "PAPERTRADE_VAR=new-folder papertrade restore FILE, then PAPERTRADE_VAR=new-folder papertrade run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with as_owner():
                for line in backup.restore(path=options["file"]):
                    if TABLE in line:
                        self.stderr.write(line)
            migrate(say=self.stderr.write)
        except (backup.DumpError, RoleError, UnfitError, SessionNotOwn) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(
            "Restored. Users and keys are those of the backup; run `papertrade audit` to check the books."
        )
