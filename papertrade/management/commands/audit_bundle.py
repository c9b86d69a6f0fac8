"""`papertrade bundle ACCOUNT FILE.zip`: everything of an account in one archive that checks itself."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import PaperAccount
from papertrade.proof import bundle


class Command(BaseCommand):
    help = (
        "Write everything of an account to a zip. Check it anywhere, without a server: "
        "unzip -p FILE.zip check.py > check.py; python3 check.py FILE.zip"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("account", type=UUID, help="the account's id")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        account = PaperAccount.objects.filter(pk=options["account"]).first()
        if account is None:
            raise CommandError("There is no such account.")
        if not options["file"].parent.is_dir():
            raise CommandError(f"There is no folder {options['file'].parent}.")
        rows = bundle.write(account=account, path=options["file"])
        for name, count in rows.items():
            self.stdout.write(f"{count:>10}  {name}")
        self.stdout.write(f"{options['file']}: {options['file'].stat().st_size:,} bytes")
