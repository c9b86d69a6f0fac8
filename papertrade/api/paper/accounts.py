"""Accounts: list, open, rename, archive, reset, summary; and the generations of one."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.labels import LABELS
from accounts.models import Generation, PaperAccount
from accounts.selectors import accounts_of
from accounts.services import label_generation
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet, Rows
from papertrade.api.paper import bodies
from papertrade.api.paper.filters import AccountFilter, GenerationFilter, RunFilter
from papertrade.api.paper.serializers import (
    AccountAndSummarySerializer,
    AccountSerializer,
    AccountStanding,
    GenerationSerializer,
    GenerationStanding,
    SummarySerializer,
)
from papertrade.trading.accounts import archive_account, open_account, rename_account, reset_account
from portfolio.selectors import Summary, book_of, books_of, generation_of, generations, summary

REPLAYED = {"Idempotency-Replayed": "true"}


class AccountViewSet(AccountMixin, ListViewSet):
    serializer_class = AccountAndSummarySerializer
    serializer_classes = {"list": AccountSerializer, "summary": SummarySerializer}
    filterset_classes = {"list": AccountFilter, "summary": GenerationFilter}
    lookup_url_kwarg = "account_id"
    page_key = "id"

    def get_queryset(self) -> Any:
        return accounts_of(user=self.request.user, include_archived=self.query.get("include_archived", False))

    def complete(self, rows: Rows) -> Rows:
        books = books_of(accounts=rows)
        return [AccountStanding(row, books[row.pk]) for row in rows]

    @call("List accounts", AccountSerializer, many=True)
    def list(self, request: Request) -> Response:
        return super().list(request)

    @call("Open an account", AccountAndSummarySerializer, status=201, body=bodies.OPEN_ACCOUNT, codes=(409,))
    def create(self, request: Request) -> Response:
        given = read_object(request.data, "name", "initial_cash", "policy", *LABELS)
        return self.stands(open_account(user=request.user, **given), status=201)

    @call("One account", AccountAndSummarySerializer)
    def retrieve(self, request: Request, account_id: str) -> Response:
        return self.stands(self.account)

    @call("Rename an account", AccountAndSummarySerializer, body=bodies.RENAME, codes=(409,))
    def partial_update(self, request: Request, account_id: str) -> Response:
        return self.stands(rename_account(account=self.account, name=read_object(request.data, "name")["name"]))

    @call("Archive an account", None, status=204)
    def destroy(self, request: Request, account_id: str) -> Response:
        archive_account(account=self.account)
        return Response(status=204)

    @call("Reset an account", AccountAndSummarySerializer, body=bodies.RESET, codes=(409,))
    @action(detail=True, methods=["post"])
    def reset(self, request: Request, account_id: str) -> Response:
        given = read_object(request.data, "confirm", "initial_cash", "reason", "policy", *LABELS)
        reset = reset_account(account=self.account, **given)
        return self.stands(reset.account, headers=REPLAYED if reset.replayed else None)

    @call("Summary of a generation", SummarySerializer)
    @action(detail=True, url_path="account", url_name="summary")
    def summary(self, request: Request, account_id: str) -> Response:
        return self.shown(summary(book=book_of(account=self.account, generation=self.query.get("generation"))))

    def stands(self, account: PaperAccount, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """The account with the figures of its latest book: what every call that opens or changes one answers."""
        book = book_of(account=account)
        return self.shown(AccountStanding(account, book, summary(book=book)), status=status, headers=headers)


class GenerationViewSet(AccountMixin, ListViewSet):
    serializer_class = GenerationSerializer
    filterset_classes = {"list": RunFilter}
    lookup_url_kwarg = "generation"
    page_key = "-number"

    def get_queryset(self) -> Any:
        return generations(account=self.account)

    def complete(self, rows: Rows) -> Rows:
        now = summary(book=book_of(account=self.account))
        return [GenerationStanding(row, Summary.from_json(row.summary) if row.summary else now) for row in rows]

    @call("Generations of an account", GenerationSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)

    @call("One generation", GenerationSerializer)
    def retrieve(self, request: Request, account_id: str, generation: str) -> Response:
        return self.stands(generation_of(account=self.account, number=generation))

    @call("Write a note or tags on a generation", GenerationSerializer, body=bodies.LABEL)
    def partial_update(self, request: Request, account_id: str, generation: str) -> Response:
        run = generation_of(account=self.account, number=generation)
        return self.stands(label_generation(generation=run, payload=read_object(request.data, *LABELS)))

    def stands(self, generation: Generation) -> Response:
        """One of them, as in the list."""
        return self.shown(*self.complete([generation]))
