"""Who asks for a stream: a bearer key, or the cookie of the dashboard. Called on a thread."""

from importlib import import_module
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.cookie import parse_cookie

from accounts.models import PaperAccount, Scope, User
from accounts.selectors import get_account
from accounts.services import authenticate_key
from papertrade.lib.errors import PapertradeError
from papertrade.stream.sse import header
from papertrade.web.bridge import Scope as RequestScope

MAX_STREAMS_OF_A_USER = 100  # in one process
_open: dict[int, int] = {}


class Unauthorized(PapertradeError):
    """Nobody that the server knows."""

    code = "unauthorized"


class TooManyStreams(PapertradeError):
    """One user holds as many streams as one may."""

    code = "rate_limit_exceeded"


class Seat:
    """A user's place among the streams of this process. Raises TooManyStreams."""

    def __init__(self, user: User) -> None:
        self._user_id = user.pk

    def __enter__(self) -> "Seat":
        if _open.get(self._user_id, 0) >= MAX_STREAMS_OF_A_USER:
            raise TooManyStreams(f"You have {MAX_STREAMS_OF_A_USER} streams open; end one first.")
        _open[self._user_id] = _open.get(self._user_id, 0) + 1
        return self

    def __exit__(self, *_: object) -> None:
        _open[self._user_id] -= 1
        if not _open[self._user_id]:
            del _open[self._user_id]


def user_of(scope: RequestScope) -> User:
    """The user of the request's key or session. Raises Unauthorized."""
    scheme, _, token = header(scope, b"authorization").decode("latin-1").partition(" ")
    if scheme:
        key = authenticate_key(token.strip()) if scheme.lower() == "bearer" else None
        if key is None or not key.allows(Scope.PAPER):
            raise Unauthorized("The key does not exist, was revoked, or has no scope paper.")
        return key.user
    user = _signed_in(header(scope, b"cookie").decode("latin-1"))
    if user is None:
        raise Unauthorized("Send the header Authorization: Bearer cm_your_key.")
    return user


def _signed_in(cookies: str) -> User | None:
    session_key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if user.is_authenticated and user.is_active else None


def account_of(scope: RequestScope, account_id: str | UUID) -> PaperAccount:
    """The account of the address, which must be the asking user's. Raises Unauthorized and NotFound."""
    return get_account(user=user_of(scope), account_id=account_id)
