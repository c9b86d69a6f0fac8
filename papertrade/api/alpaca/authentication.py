"""Who is asking, and for which account: Alpaca's key pair, in headers of its own or as basic credentials; or a bearer token.

The key id is the paper account's id and the secret one of its user's keys, so one key serves any number of accounts, and a
reset changes neither. A bearer token is the key alone, where its user has one active account.
"""

import base64
import binascii
from typing import NamedTuple
from uuid import UUID

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import services
from accounts.models import ApiKey, PaperAccount, Scope, User
from accounts.selectors import accounts_of

CHALLENGE = "Basic"
HOW = "request is not authorized: send APCA-API-KEY-ID (the paper account's id) and APCA-API-SECRET-KEY (a cm_ key of its user)"


class Credentials(NamedTuple):
    """What DRF keeps as `request.auth`."""

    key: ApiKey
    account: PaperAccount

    @property
    def pk(self) -> UUID:
        """Requests are counted by key."""
        return self.key.pk


class PairAuthentication(BaseAuthentication):
    """Raises AuthenticationFailed, and PermissionDenied where a bearer token does not say which account."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        account_id, token = _given(request)
        if not token:
            return None
        credentials = identify(account_id, token)
        return credentials.key.user, credentials

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def identify(account_id: str, token: str) -> Credentials:
    """The key and the account that a pair names; without an account id the user's only one.

    Raises AuthenticationFailed and PermissionDenied, for streams as for requests.
    """
    found = services.identify(token, account_id)
    if found is None:
        raise exceptions.AuthenticationFailed(HOW)
    key = found.key
    if not key.allows(Scope.PAPER):
        raise exceptions.PermissionDenied("the key has no scope paper")
    if account_id:
        if found.account is None:
            raise exceptions.AuthenticationFailed(HOW)
        return Credentials(key, found.account)
    its_accounts = list(accounts_of(user=key.user)[:2])
    if len(its_accounts) != 1:
        raise exceptions.PermissionDenied(
            "forbidden: a token alone needs a user with one active account. Use the pair: the account's id and the key"
        )
    return Credentials(key, its_accounts[0])


def _given(request: Request) -> tuple[str, str]:
    """Account id and token as sent; empty where they were not."""
    account_id, secret = request.headers.get("APCA-API-KEY-ID", ""), request.headers.get("APCA-API-SECRET-KEY", "")
    if account_id or secret:
        return account_id or "?", secret or "?"
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() == "basic":
        try:
            account_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise exceptions.AuthenticationFailed(HOW) from None
        return account_id or "?", secret
    return "", ""
