"""What the viewsets share: counting every request of a key, the account in the path, parameters, and lists of rows."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.models import PaperAccount
from accounts.selectors import get_account
from papertrade.api.kit.filters import NoParameters, Parameters, ParameterSet
from papertrade.api.kit.pagination import Enveloped, KeysetPagination
from papertrade.api.kit.serializers import WireSerializer

Rows = list[Any]  # by a name of its own: in a viewset `list` is the action


class CountedView(APIView):
    """Counts a request once it is known whose it is, so that one that is refused after that counts too."""

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Done: see perform_authentication."""


class ApiViewSet(CountedView, GenericViewSet):
    """One resource.

    By action, `filterset_classes` says which query parameters it takes (none where it is not named; what was read is in
    `query`), and `serializer_classes` what it answers, where that is not the resource's own `serializer_class`.
    """

    filter_backends = [Parameters]
    filterset_classes: ClassVar[Mapping[str, type[ParameterSet]]] = {}
    serializer_classes: ClassVar[Mapping[str, type[WireSerializer]]] = {}
    pagination_class = KeysetPagination
    paged_actions: ClassVar[Collection[str]] = {"list"}
    page_key = ""  # see KeysetPagination
    query: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.enter(request)
        if self.action is None:  # a method that the address does not take: 405 comes next
            return
        self.query = self.get_parameters().read(request.query_params, also=self.paginator.parameters)

    def enter(self, request: Request) -> None:
        """Find what the address is about. Raises NotFound."""

    def get_parameters(self) -> type[ParameterSet]:
        """The query parameters of the action."""
        return self.filterset_classes.get(self.action or "", NoParameters)

    def get_serializer_class(self) -> type[WireSerializer]:
        return self.serializer_classes.get(self.action or "") or super().get_serializer_class()

    @property
    def paginator(self) -> Enveloped:
        """Pages for the actions that have them, and the bare envelope for every other list."""
        if not hasattr(self, "_paginator"):
            self._paginator = self.pagination_class() if self.action in self.paged_actions else Enveloped()
        return self._paginator

    def read(self, rows: Any) -> Rows:
        """The rows of a query, once it is cut to a page."""
        return list(rows)

    def complete(self, rows: Rows) -> Rows:
        """The rows of a page with what showing them needs, read in as few statements as there are kinds of it."""
        return rows

    def listed(self, rows: Any) -> Response:
        """Rows, or a page of them, in the list envelope."""
        page = self.complete(self.paginator.paginate_queryset(rows, self.request, view=self))
        return self.paginator.get_paginated_response(self.get_serializer(page, many=True).data)

    def shown(self, thing: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """One object."""
        return Response(self.get_serializer(thing).data, status=status, headers=headers)


class ListViewSet(ApiViewSet):
    """A resource that can be listed."""

    def list(self, request: Request, **path: Any) -> Response:
        return self.listed(self.filter_queryset(self.get_queryset()))


class AccountMixin:
    """A resource under one account of the user who asks; raises NotFound for anybody else's."""

    account: PaperAccount
    kwargs: dict[str, Any]

    def enter(self, request: Request) -> None:
        if "account_id" in self.kwargs:
            found: PaperAccount | None = getattr(request, "account", None)  # that was read with the key
            self.account = found or get_account(user=request.user, account_id=self.kwargs["account_id"])
