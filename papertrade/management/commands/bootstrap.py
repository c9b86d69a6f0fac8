"""`manage.py bootstrap`: the first users and keys, and credentials.json that says them. Again: changes nothing that works."""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.models import Scope, User
from accounts.services import authenticate_key, create_user, issue_key, let_move_market
from papertrade.embedded import private_file

PASSWORD_BYTES = 15
TRADER, ADMIN = "trader", "admin"


class Command(BaseCommand):
    help = "Make the users trader and admin and their keys where they are missing, and write credentials.json."

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.PAPERTRADE_VAR / "credentials.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        trader, dashboard_password = self._user(TRADER, known.get("dashboard_password"))
        let_move_market(user=trader)  # it is the trader's own server
        _, admin_password = self._user(ADMIN, known.get("admin_password"), is_staff=True, is_superuser=True)
        credentials = {
            "base_url": f"http://127.0.0.1:{settings.PAPERTRADE_PORT}/v1",
            "dashboard_user": TRADER,
            "dashboard_password": dashboard_password,
            "admin_user": ADMIN,
            "admin_password": admin_password,
            "paper_key": self._key(trader, known.get("paper_key"), "paper", [Scope.PAPER]),
            "market_key": self._key(trader, known.get("market_key"), "market", [Scope.PAPER, Scope.MARKET]),
        }
        if credentials != known:
            settings.PAPERTRADE_VAR.mkdir(parents=True, exist_ok=True)
            private_file(path, json.dumps(credentials, indent=2) + "\n")

    def _user(self, username: str, password: str | None, **rights: bool) -> tuple[User, str]:
        """The user and a password for credentials.json; one that was changed since is not changed back."""
        user = User.objects.filter(username=username).first()
        if user is not None and password:
            return user, password
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        if user is None:
            return create_user(username=username, password=password, **rights), password
        user.set_password(password)
        user.save(update_fields=["password"])
        return user, password

    def _key(self, user: User, token: str | None, name: str, scopes: list[str]) -> str:
        if token and authenticate_key(token):
            return token
        return issue_key(user=user, name=name, scopes=scopes)[1]
