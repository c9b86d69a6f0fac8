"""Who is asking, and what they may do: bearer keys with scopes, or a dashboard session with its CSRF token."""

from typing import TYPE_CHECKING, Any

from django.middleware.csrf import CsrfViewMiddleware
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiKey, Scope, User
from accounts.services import identify, may_move_market
from papertrade.api.kit.hints import of_no_key

if TYPE_CHECKING:  # importing it here would go round in a circle
    from rest_framework.views import APIView

CHALLENGE = 'Bearer realm="papertrade"'


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer cm_...`"""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() != b"bearer":
            raise exceptions.AuthenticationFailed("Send the header Authorization: Bearer cm_your_key.")
        token, path = parts[1].decode("latin-1"), request.parser_context["kwargs"]
        found = identify(token, path.get("account_id", ""))
        if found is None:
            raise exceptions.AuthenticationFailed("The key does not exist, or was revoked.")
        request.account = found.account  # read with the key: see AccountMixin
        return found.key.user, found.key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: Any, reason: str) -> str:
        return reason


class DashboardAuthentication(BaseAuthentication):
    """The signed-in user of the dashboard; anything that writes needs the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_active:
            return None
        check = _Csrf(lambda request: None)
        check.process_request(request._request)
        reason = check.process_view(request._request, None, (), {})
        if reason:
            raise exceptions.PermissionDenied(f"The dashboard's token is missing or wrong: {reason}")
        return user, None


class _NeedsScope(BasePermission):
    scope = ""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.user is None:
            raise exceptions.NotAuthenticated(of_no_key(request))
        key = request.auth
        if key is not None and self.scope and not key.allows(self.scope):
            raise exceptions.PermissionDenied(f"This needs a key with the scope {self.scope}.")
        if self.scope == Scope.MARKET and not may_move_market(request.user):
            raise exceptions.PermissionDenied("You may not move the market: an operator gives that right.")
        return True


class MayTrade(_NeedsScope):
    """A key with the scope `paper`, or the dashboard."""

    scope = Scope.PAPER


class MayRead(_NeedsScope):
    """Any valid key, or the dashboard."""


class MayMoveMarket(_NeedsScope):
    """A user who may move the market: on the dashboard, or by a key with the scope `market`."""

    scope = Scope.MARKET
