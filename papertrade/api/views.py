"""What the views share: the account of the path, and lists of shapes."""

from collections.abc import Callable, Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import PaperAccount
from accounts.selectors import get_account


def many(shape: type[serializers.Serializer]) -> Callable[[Iterable[Any]], list[dict[str, Any]]]:
    """Renders rows in a shape."""
    return lambda rows: [dict(row) for row in shape(rows, many=True).data]


class AccountView(APIView):
    """A view under one account of the user who asks."""

    account: PaperAccount

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.account = get_account(user=request.user, account_id=kwargs["account_id"])
