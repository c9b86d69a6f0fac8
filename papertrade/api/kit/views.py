"""What the views share: counting every request of a key, the account of the path, and lists of shapes."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import PaperAccount
from accounts.selectors import get_account


@cache
def one(shape: type[serializers.Serializer]) -> Callable[[Any], dict[str, Any]]:
    """Renders a row in a shape. The shape is made once: making its fields costs more than filling them."""
    return shape().to_representation


def many(shape: type[serializers.Serializer]) -> Callable[[Iterable[Any]], list[dict[str, Any]]]:
    """Renders rows in a shape."""
    return lambda rows: [one(shape)(row) for row in rows]


class ApiView(APIView):
    """A view of the API. A request is counted once it is known whose it is: one that is then refused counts too."""

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Done: see perform_authentication."""


class AccountView(ApiView):
    """A view under one account of the user who asks."""

    account: PaperAccount

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.account = get_account(user=request.user, account_id=kwargs["account_id"])
