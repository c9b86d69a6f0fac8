"""Who asks for a stream: a bearer key, or the cookie of the dashboard; and how many streams one may have."""

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.cookie import parse_cookie

from accounts.models import PaperAccount, Scope, User
from accounts.selectors import get_account
from accounts.services import identify
from papertrade.lib.errors import NotFound, PapertradeError
from papertrade.lib.strangers import door
from papertrade.stream.moves import ask_patiently
from papertrade.stream.sse import header
from papertrade.web.bridge import Scope as RequestScope
from papertrade.web.refusals import TOO_MANY_REQUESTS, Refusal

MAX_STREAMS_OF_A_USER = 100  # in one process
RETRY_AFTER_SECONDS = 5
ASKER = "papertrade.asker"  # in the ASGI scope

Found = TypeVar("Found")
_open: Counter[int | bytes] = Counter()  # streams, by user and by the credentials that they were opened with


class Unauthorized(PapertradeError):
    """Nobody that the server knows."""

    code = "unauthorized"


class TooManyStreams(Refusal):
    """One user holds as many streams as one may."""

    def __init__(self) -> None:
        super().__init__(
            TOO_MANY_REQUESTS,
            "rate_limit_exceeded",
            f"You have {MAX_STREAMS_OF_A_USER} streams open; end one first.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )


class Asker(NamedTuple):
    """A digest of what says who is asking, empty where nothing does, and where he asks from."""

    credentials: bytes
    network: str

    async def look_up(self, call: Callable[..., Found], *arguments: Any) -> Found:
        """What the call finds out about him, on a thread. Raises TooManyStreams, and then nothing was looked up.

        Credentials that were good lately have a turn of their own, all strangers from a place one together.
        """
        turn = door.known_as(self.credentials) or self.network.encode()
        return await ask_patiently(_unless_he_has_too_many, self.credentials, call, arguments, whose=turn)


def _unless_he_has_too_many(credentials: bytes, call: Callable[..., Found], arguments: tuple[Any, ...]) -> Found:
    if _open[credentials] >= MAX_STREAMS_OF_A_USER:
        raise TooManyStreams
    return call(*arguments)


class Seat:
    """A user's place among the streams of this process. Raises TooManyStreams."""

    def __init__(self, user: User, asker: Asker) -> None:
        self._user_id, self._credentials = user.pk, asker.credentials

    def __enter__(self) -> "Seat":
        if _open[self._user_id] >= MAX_STREAMS_OF_A_USER:
            raise TooManyStreams
        _open.update((self._user_id, self._credentials))
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._user_id, self._credentials):
            _open[one] -= 1
            if not _open[one]:
                del _open[one]


def account_of(scope: RequestScope, account_id: str | UUID) -> PaperAccount:
    """The account of the address with its user, who must be the one that asks. On a thread.

    Raises Unauthorized and NotFound.
    """
    scheme, _, token = header(scope, b"authorization").decode("latin-1").partition(" ")
    if not scheme:
        user = _signed_in(header(scope, b"cookie").decode("latin-1"))
        if user is None:
            raise Unauthorized("Send the header Authorization: Bearer cm_your_key.")
        account = get_account(user=user, account_id=account_id)
        account.user = user
        return account
    found = identify(token.strip(), str(account_id)) if scheme.lower() == "bearer" else None
    if found is None or not found.key.allows(Scope.PAPER):
        raise Unauthorized("The key does not exist, was revoked, or has no scope paper.")
    if found.account is None:
        raise NotFound("There is no such account.")
    found.account.user = found.key.user
    return found.account


def _signed_in(cookies: str) -> User | None:
    session_key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if user.is_authenticated and user.is_active else None
