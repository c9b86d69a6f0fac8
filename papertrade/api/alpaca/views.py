"""What the resources of this API share: its credentials, its errors, plain JSON, and the account that the key names."""

from collections.abc import Callable
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from accounts.models import PaperAccount
from papertrade.api.alpaca import errors
from papertrade.api.alpaca.authentication import HOW, PairAuthentication
from papertrade.api.alpaca.errors import UNAUTHORIZED, AlpacaError
from papertrade.api.alpaca.parameters import Query
from papertrade.api.kit.rendering import NumbersRenderer
from papertrade.api.kit.viewsets import CountedView


class NeedsPair(BasePermission):
    """Every request needs a key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            raise AlpacaError(401, UNAUTHORIZED, HOW)
        return True


class AlpacaViewSet(CountedView, ViewSet):
    """One resource of Alpaca's."""

    authentication_classes = [PairAuthentication]
    permission_classes = [NeedsPair]
    renderer_classes = [NumbersRenderer]
    schema = None  # Alpaca's own document describes it

    account: PaperAccount
    query: Query

    def get_exception_handler(self) -> Callable[..., Any]:
        return errors.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.account = request.auth.account
        self.query = Query(request)
