"""`manage.py write_codes`: docs/codes.md from the code, for developers (`make docs`)."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from papertrade.api.codes import page


class Command(BaseCommand):
    help = "Write docs/codes.md, the page of every status, reason and error code. Needs no server."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = settings.BASE_DIR / "docs" / "codes.md"
        path.write_text(page(), encoding="utf-8")
        self.stdout.write(f"{path} written")
