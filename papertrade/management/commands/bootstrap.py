"""`manage.py bootstrap`: the first users and keys, and credentials.json that names them.

It runs at every start and release, perhaps from another machine: users who are there keep their passwords and keys.
"""

import json
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.models import Scope, User
from accounts.services import authenticate_key, create_user, issue_key, let_move_market
from papertrade.lib.files import private_file

PASSWORD_BYTES = 15
TRADER, ADMIN = "trader", "admin"


class Command(BaseCommand):
    help = "Make the users trader and admin with keys where they are missing, and write credentials.json."

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_theirs: dict[int, bool] = {}  # by user, whether the password known here is: it takes long to say

    def handle(self, *args: Any, **options: Any) -> None:
        path = settings.PAPERTRADE_VAR / "credentials.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        trader, dashboard_password = self._user(TRADER, known.get("dashboard_password"))
        let_move_market(user=trader)  # it is the trader's own server
        _, admin_password = self._user(ADMIN, known.get("admin_password"), is_staff=True, is_superuser=True)
        secrets_of_users = {
            "dashboard_password": dashboard_password,
            "admin_password": admin_password,
            "paper_key": self._key(trader, dashboard_password, known.get("paper_key"), [Scope.PAPER]),
            "market_key": self._key(trader, dashboard_password, known.get("market_key"), [Scope.PAPER, Scope.MARKET]),
        }
        credentials = {
            "base_url": f"{settings.PAPERTRADE_PUBLIC_URL}/v1",
            "origin": settings.PAPERTRADE_PUBLIC_URL,  # for clients that add /v1 themselves
            "dashboard_user": TRADER,
            "admin_user": ADMIN,
            **{name: secret for name, secret in secrets_of_users.items() if secret},
        }
        if any(secrets_of_users.values()) and credentials != known:
            settings.PAPERTRADE_VAR.mkdir(parents=True, exist_ok=True)
            private_file(path, json.dumps(credentials, indent=2) + "\n")

    def _user(self, username: str, password: str | None, **rights: bool) -> tuple[User, str | None]:
        """The user, and the password for credentials.json: that of a new user, or the one that it had before."""
        user = User.objects.filter(username=username).first()
        if user is None:
            password = secrets.token_urlsafe(PASSWORD_BYTES)
            user = create_user(username=username, password=password, **rights)
            self._is_theirs[user.pk] = True
            return user, password
        if not password:
            self.stdout.write(
                f"There is a user {username} already, whose password is not in this var folder. Nothing of theirs was changed; "
                f"`papertrade password {username}` sets another."
            )
        return user, password

    def _key(self, user: User, password: str | None, token: str | None, scopes: list[str]) -> str | None:
        """A key that works; a new one only for a user whose password is known here."""
        if token and authenticate_key(token):
            return token
        if not password or not self._has(user, password):
            return None
        return issue_key(user=user, name=scopes[-1], scopes=scopes)[1]

    def _has(self, user: User, password: str) -> bool:
        if user.pk not in self._is_theirs:
            self._is_theirs[user.pk] = user.check_password(password)
        return self._is_theirs[user.pk]
