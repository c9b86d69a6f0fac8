"""Accounts: list, open, rename, archive, reset, summary, generations."""

from collections.abc import Iterable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Generation, PaperAccount
from accounts.selectors import accounts_of
from papertrade.api.kit import pagination
from papertrade.api.kit.fields import instant, money
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.queries import read_bool, read_generation
from papertrade.api.kit.schema import answers, generation, lists, object_body
from papertrade.api.kit.views import AccountView, ApiView
from papertrade.api.paper import serializers as shapes
from papertrade.trading.accounts import archive_account, open_account, rename_account, reset_account
from portfolio.selectors import book_of, books_of, generations, summary

REPLAYED = {"Idempotency-Replayed": "true"}


def account_json(account: PaperAccount, book: Any) -> dict[str, Any]:
    """An account with the figures of its latest book."""
    return shapes.Account(
        {
            "id": account.id, "name": account.name, "status": account.status, "currency": account.currency,
            "initial_cash": book.generation.initial_cash, "cash": book.cash, "generation": book.generation_number,
            "created_at": account.created_at, "updated_at": account.updated_at, "reset_at": account.reset_at,
            "archived_at": account.archived_at, "policy": book.generation.policy,
        }
    ).data  # fmt: skip


def account_and_summary(account: PaperAccount) -> dict[str, Any]:
    """What the calls that change an account answer."""
    book = book_of(account=account)
    return {"account": account_json(account, book), "summary": shapes.Summary(summary(book=book)).data}


class Accounts(ApiView):
    @lists(shapes.Account, "List accounts", query={"include_archived": "also those that were archived"})
    def get(self, request: Request) -> Response:
        accounts = accounts_of(user=request.user, include_archived=read_bool(request, "include_archived"))

        def render(rows: Iterable[PaperAccount]) -> list[dict[str, Any]]:
            books = books_of(accounts=rows)
            return [account_json(row, books[row.pk]) for row in rows]

        return pagination.page(request, accounts, key="id", render=render, descending=False)

    @answers(
        shapes.AccountAndSummary,
        "Open an account",
        status=201,
        body=object_body("name", "initial_cash", "policy"),
        codes=(409,),
    )
    def post(self, request: Request) -> Response:
        given = read_object(request.data, "name", "initial_cash", "policy")
        account = open_account(user=request.user, **given)
        return Response(account_and_summary(account), status=201)


class Account(AccountView):
    @answers(shapes.AccountAndSummary, "One account")
    def get(self, request: Request, account_id: str) -> Response:
        return Response(account_and_summary(self.account))

    @answers(shapes.AccountAndSummary, "Rename an account", body=object_body("name"), codes=(409,))
    def patch(self, request: Request, account_id: str) -> Response:
        given = read_object(request.data, "name")
        return Response(account_and_summary(rename_account(account=self.account, name=given["name"])))

    @answers(None, "Archive an account", status=204)
    def delete(self, request: Request, account_id: str) -> Response:
        archive_account(account=self.account)
        return Response(status=204)


class Reset(AccountView):
    @answers(
        shapes.AccountAndSummary,
        "Reset an account",
        body=object_body("confirm", "initial_cash", "reason", "policy"),
        codes=(409,),
    )
    def post(self, request: Request, account_id: str) -> Response:
        given = read_object(request.data, "confirm", "initial_cash", "reason", "policy")
        reset = reset_account(account=self.account, **given)
        return Response(account_and_summary(reset.account), headers=REPLAYED if reset.replayed else None)


class AccountSummary(AccountView):
    @answers(shapes.Summary, "Summary of a generation", query=generation)
    def get(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        return Response(shapes.Summary(summary(book=book)).data)


class Generations(AccountView):
    @lists(shapes.GenerationShape, "Generations of an account")
    def get(self, request: Request, account_id: str) -> Response:
        current = summary(book=book_of(account=self.account)).as_json()

        def render(rows: Iterable[Generation]) -> list[dict[str, Any]]:
            return [generation_json(row, row.summary or current) for row in rows]

        return pagination.page(request, generations(account=self.account), key="number", render=render)


def generation_json(row: Generation, figures: dict[str, Any]) -> dict[str, Any]:
    """A generation with its final summary, or that of now."""
    return {
        "number": row.number,
        "policy": shapes.Policy(row.policy).data,
        "initial_cash": money(row.initial_cash),
        "opened_at": instant(row.opened_at),
        "closed_at": row.closed_at and instant(row.closed_at),
        "reason": row.reason,
        # PostgreSQL keeps the fields of a jsonb value in an order of its own.
        "summary": {name: figures[name] for name in shapes.Summary().fields},
        "feed": row.feed,
        "engine_version": row.engine_version,
    }
