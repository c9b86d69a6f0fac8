"""Use cases over several apps: opening, renaming, resetting and archiving an account.

Each is one transaction in the written lock order (User, PaperAccount, Book) and reads raw JSON values, so that the API
and the dashboard only translate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import psycopg
from django.conf import settings
from django.db import transaction

from accounts import services as accounts
from accounts.labels import read_labels
from accounts.models import REASON_MAX_LENGTH, PaperAccount, User
from accounts.policy import InvalidPolicy, Policy, policy_from_json
from marketdata import clock
from marketdata.gate import pass_gate
from marketdata.markets.current import current_market
from orders.catching_up import catch_up, patient
from orders.engine import Engine
from orders.services import cancel_open
from orders.states import CancelReason
from papertrade.lib.errors import BadRequest, Conflict
from papertrade.lib.numbers import decimals, read_number
from papertrade.lib.postgres import raw_cursor
from portfolio.books import OpenBook
from portfolio.models import EventType
from portfolio.selectors import summary_of
from portfolio.services import open_book
from portfolio.store import lock_account

DEFAULT_NAME = "Paper Account"
DEFAULT_INITIAL_CASH = Decimal(100_000)
MAX_INITIAL_CASH = Decimal(10) ** 12
MAX_CASH_DECIMALS = 4
FIRST_GENERATION = 1


def open_account(
    *,
    user: User,
    name: object = None,
    initial_cash: object = None,
    policy: object = None,
    note: object = None,
    tags: object = None,
) -> PaperAccount:
    """A new account with its first generation, funded. Raises BadRequest, Conflict `account_limit_reached`."""
    clean = accounts.clean_name(DEFAULT_NAME if name is None else name)
    cash = DEFAULT_INITIAL_CASH if initial_cash is None else read_cash(initial_cash)
    frozen = read_policy(policy, server_policy())
    labels = read_labels({"note": note, "tags": tags})
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        at = clock.read().now
        account = accounts.create_account(user=user, name=clean, at=at)
        generation = accounts.open_generation(
            account=account,
            number=FIRST_GENERATION,
            initial_cash=cash,
            policy=frozen,
            feed=current_market().feed.name,
            at=at,
            labels=labels,
        )
        open_book(cursor, generation=generation, at=at, event=EventType.ACCOUNT_OPENED)
    return account


@patient
def rename_account(*, account: PaperAccount, name: object) -> PaperAccount:
    """Give the account another name; an archived one keeps its own. Raises BadRequest, Conflict `account_archived`."""
    clean = accounts.clean_name(name)
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        account, book = _lock(cursor, account)
        if book is None:
            raise _archived()
        if account.name != clean:
            at = book.advance_to(clock.read().now)
            accounts.rename(account=account, name=clean, at=at)
            book.record(EventType.ACCOUNT_RENAMED, at, reason=clean)
            Engine(books={book.id: book}).write(cursor)
    return account


@patient
def archive_account(*, account: PaperAccount, reason: object = "") -> None:
    """Cancel what is open, close the books and take the account off the list; archiving it again changes nothing.

    Raises BadRequest for a reason that cannot be kept.
    """
    why = _read_reason(reason)
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        account, book = _lock(cursor, account)
        if book is None:
            return
        at = book.advance_to(clock.read().now)
        _close(cursor, account, book, CancelReason.ARCHIVED, EventType.ACCOUNT_ARCHIVED, why)
        accounts.mark_archived(account=account, at=at)


@dataclass(frozen=True, slots=True)
class Reset:
    """The account after a reset; `replayed` says that the generation was fresh already, so that none was opened."""

    account: PaperAccount
    replayed: bool = False


@patient
def reset_account(
    *,
    account: PaperAccount,
    confirm: object,
    initial_cash: object = None,
    reason: object = "",
    policy: object = None,
    note: object = None,
    tags: object = None,
) -> Reset:
    """End the generation and open the next; everything before it stays readable.

    A reset to the cash and policy that the generation already has, before its first order, returns that generation with the
    labels given now and otherwise unchanged, so that a retried reset is harmless. The next generation inherits no labels.

    Raises BadRequest, Conflict `account_archived`.
    """
    if confirm is not True:
        raise BadRequest("A reset ends the generation: send confirm true.", confirm="must be true")
    why = _read_reason(reason)
    written = {"note": note, "tags": tags}
    labels = read_labels(written)
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        account, book = _lock(cursor, account)
        if book is None:
            raise _archived()
        generation = account.generations.get(pk=book.generation_id)
        cash = generation.initial_cash if initial_cash is None else read_cash(initial_cash)
        frozen = read_policy(policy, policy_from_json(generation.policy))
        fresh = not account.orders.filter(book_id=book.id).exists()
        if fresh and cash == generation.initial_cash and frozen == policy_from_json(generation.policy):
            accounts.label_generation(generation=generation, payload=written)
            return Reset(account, replayed=True)
        at = book.advance_to(clock.read().now)
        _close(cursor, account, book, CancelReason.RESET, None)
        following = accounts.open_generation(
            account=account,
            number=generation.number + 1,
            initial_cash=cash,
            policy=frozen,
            feed=current_market().feed.name,
            at=at,
            reason=why,
            labels=labels,
        )
        open_book(cursor, generation=following, at=at, event=EventType.ACCOUNT_RESET, reason=why, previous=book)
        accounts.mark_reset(account=account, at=at)
    return Reset(account)


def server_policy() -> Policy:
    """The policy that the settings give to a new account."""
    return Policy(
        stock_quote_max_age_seconds=settings.PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS,
        option_quote_max_age_seconds=settings.PAPERTRADE_OPTION_QUOTE_MAX_AGE_SECONDS,
        option_max_spread_ratio=settings.PAPERTRADE_OPTION_MAX_SPREAD_RATIO,
        option_spread_floor=settings.PAPERTRADE_OPTION_SPREAD_FLOOR,
        size_cap=settings.PAPERTRADE_SIZE_CAP,
    )


def read_cash(value: object) -> Decimal:
    """Initial cash from a JSON value. Raises BadRequest."""
    cash = read_number(value)
    if cash is None or not 0 < cash <= MAX_INITIAL_CASH or decimals(cash) > MAX_CASH_DECIMALS:
        raise BadRequest(
            "The initial cash cannot be used.",
            initial_cash=f"must be a number above 0, at most {MAX_INITIAL_CASH:,f}, with at most {MAX_CASH_DECIMALS} decimals",
        )
    return cash


def read_policy(value: object, default: Policy) -> Policy:
    """The default with the given fields replaced. Raises BadRequest."""
    if value is None:
        return default
    if not isinstance(value, Mapping):
        raise BadRequest("The policy must be an object.", policy="must be an object")
    try:
        return default.merged(value)
    except InvalidPolicy as problem:
        raise BadRequest("The policy cannot be used.", policy=problem.details) from None


def _read_reason(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > REASON_MAX_LENGTH or not value.isprintable():
        raise BadRequest(
            "The reason cannot be used.", reason=f"must be at most {REASON_MAX_LENGTH} printable characters"
        )
    return value.strip()


def _lock(cursor: psycopg.Cursor, account: PaperAccount) -> tuple[PaperAccount, OpenBook | None]:
    locked = accounts.lock_account(account=account)
    book = lock_account(cursor, locked.pk)
    if book is not None and catch_up(cursor, book.id, clock.read()):
        book = lock_account(cursor, locked.pk)
    return locked, book


def _close(
    cursor: psycopg.Cursor,
    account: PaperAccount,
    book: OpenBook,
    reason: CancelReason,
    event: str | None,
    why: str = "",
) -> None:
    """Cancel the open orders of a locked book, close it, and keep the generation's final figures."""
    at = book.last_at
    engine = cancel_open(book, reason, at)
    if event is not None:
        book.record(event, at, reason=why)
    book.snapshot(at)
    book.close(at)
    engine.write(cursor)
    generation = account.generations.get(pk=book.generation_id)
    accounts.close_generation(generation=generation, at=at, summary=summary_of(book, generation.initial_cash).as_json())


def _archived() -> Conflict:
    return Conflict("The account is archived: it cannot be changed.", code="account_archived")
