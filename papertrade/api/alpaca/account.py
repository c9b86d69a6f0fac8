"""The account: how it stands, its configuration, its equity curve."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.errors import UNPROCESSABLE, AlpacaError, bad_input
from papertrade.api.alpaca.last_close import last_equity
from papertrade.api.alpaca.views import AlpacaViewSet
from portfolio.selectors import book_of, summary


class AccountViewSet(AlpacaViewSet):
    def retrieve(self, request: Request) -> Response:
        book = book_of(account=self.account)
        return Response(shapes.account(self.account, summary(book=book), last_equity=last_equity(book)))


class ConfigurationViewSet(AlpacaViewSet):
    def retrieve(self, request: Request) -> Response:
        return Response(shapes.CONFIGURATIONS)

    def partial_update(self, request: Request) -> Response:
        """A setting may be sent with the value that it has. One that cannot be changed here is refused, not ignored."""
        given: Any = request.data
        if not isinstance(given, dict):
            raise bad_input("send a JSON object")
        for name, value in given.items():
            if value is None:
                continue
            if name not in shapes.CONFIGURATIONS:
                raise bad_input(f"unknown field: {name[:64]}")
            if str(value).lower() != str(shapes.CONFIGURATIONS[name]).lower():
                raise AlpacaError(
                    422, UNPROCESSABLE, f"{name} cannot be changed here: it is {shapes.CONFIGURATIONS[name]}"
                )
        return Response(shapes.CONFIGURATIONS)
