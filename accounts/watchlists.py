"""Named lists of symbols, kept with an account. They have no effect on trading.

Whether a symbol exists is for the market to say: see `papertrade.trading.watchlists`.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import PaperAccount, Watchlist
from accounts.services import clean_name
from papertrade.lib.errors import BadRequest, Conflict, NotFound
from papertrade.lib.numbers import as_uuid

MAX_LISTS = 100  # of an account
MAX_SYMBOLS = 500  # of a list


def of(*, account: PaperAccount) -> QuerySet[Watchlist]:
    """The account's lists, oldest first."""
    return Watchlist.objects.filter(account=account).order_by("created_at", "id")


def get(*, account: PaperAccount, watchlist_id: UUID | str = "", name: str = "") -> Watchlist:
    """One list by its id, or by its name. Raises NotFound."""
    named = {"pk": as_uuid(watchlist_id, "watchlist")} if watchlist_id else {"name": name}
    found = Watchlist.objects.filter(account=account, **named).first()
    if found is None:
        raise _no_such_list()
    return found


def create(*, account: PaperAccount, name: object, symbols: Sequence[str]) -> Watchlist:
    """A new list. Raises BadRequest, and Conflict where the account has one of that name or as many as it may."""
    if of(account=account).count() >= MAX_LISTS:
        raise Conflict(f"An account has at most {MAX_LISTS} watchlists. Delete one first.")
    return _saved(Watchlist(account=account, name=clean_name(name), symbols=_each_once(symbols)))


def change(row: Watchlist, *, name: object = None, symbols: Sequence[str] | None = None) -> Watchlist:
    """Another name, other symbols, or both; None leaves as it is. Raises BadRequest, Conflict, NotFound."""
    with transaction.atomic():
        locked = _locked(row)
        if name is not None:
            locked.name = clean_name(name)
        if symbols is not None:
            locked.symbols = _each_once(symbols)
        return _saved(locked)


def add(row: Watchlist, symbols: Sequence[str]) -> Watchlist:
    """More symbols at the end, those that are there already where they are. Raises BadRequest, NotFound."""
    with transaction.atomic():
        locked = _locked(row)
        locked.symbols = _each_once([*locked.symbols, *symbols])
        return _saved(locked)


def remove(row: Watchlist, symbol: str) -> Watchlist:
    """The list without the symbol; again changes nothing. Raises NotFound."""
    with transaction.atomic():
        locked = _locked(row)
        locked.symbols = [kept for kept in locked.symbols if kept != symbol]
        return _saved(locked)


def delete(row: Watchlist) -> None:
    """End a list; nothing else depends on it."""
    row.delete()


def _locked(row: Watchlist) -> Watchlist:
    """The list as it is now, locked until the transaction ends: of two changes at once neither is lost. Raises NotFound."""
    locked = Watchlist.objects.select_for_update().filter(pk=row.pk).first()
    if locked is None:
        raise _no_such_list()
    return locked


def _no_such_list() -> NotFound:
    return NotFound("There is no such watchlist.")


def _each_once(symbols: Sequence[str]) -> list[str]:
    each_once = list(dict.fromkeys(symbols))
    if len(each_once) > MAX_SYMBOLS:
        raise BadRequest("The symbols cannot be used.", symbols=f"a watchlist has at most {MAX_SYMBOLS}")
    return each_once


def _saved(row: Watchlist) -> Watchlist:
    row.updated_at = timezone.now()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        other = of(account=row.account).filter(name=row.name).first()
        known = {} if other is None else {"watchlist_id": str(other.pk)}
        raise Conflict("The name must be unique: the account has a watchlist of that name.", **known) from None
    return row
