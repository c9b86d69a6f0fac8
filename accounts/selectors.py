"""The one way to fetch an account for a user: missing and somebody else's look the same."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import AccountStatus, PaperAccount, User
from papertrade.lib import tracing
from papertrade.lib.batch import Batch
from papertrade.lib.errors import NotFound
from papertrade.lib.numbers import as_uuid
from papertrade.lib.postgres import FixedQuery

_ACCOUNT_OF_USER: FixedQuery[PaperAccount] = FixedQuery(
    PaperAccount.objects.order_by().filter(user_id=0).filter(pk=UUID(int=0))
)
_ACCOUNT: FixedQuery[PaperAccount] = FixedQuery(PaperAccount.objects.order_by().filter(pk=UUID(int=0)))


def accounts_of(*, user: User, include_archived: bool = False) -> QuerySet[PaperAccount]:
    """The user's accounts, oldest first."""
    accounts = PaperAccount.objects.filter(user=user).order_by("created_at", "id")
    return accounts if include_archived else accounts.filter(status=AccountStatus.ACTIVE)


def tagged(tag: str) -> Q:
    """Rows with that tag. That they have any tag is added for PostgreSQL, which else would not use the index of tagged rows."""
    return Q(tags__contains=[tag]) & ~Q(tags=[])


def get_account(*, user: User, account_id: UUID | str) -> PaperAccount:
    """One account of the user, archived ones too. Raises NotFound."""
    account = _ACCOUNT_OF_USER.one([user.pk, as_uuid(account_id, "account")])
    if account is None:
        raise NotFound("There is no such account.")
    tracing.note(account=str(account.pk))
    return account


def ask_for_account(batch: Batch, account_id: str) -> Callable[[], PaperAccount | None]:
    """Ask for one account, whoever owns it, in a batch; once that was sent, what is returned gives the account.

    The caller must compare the user. None where there is no such account, or `account_id` is not an id.
    """
    try:
        return _ACCOUNT.ask(batch, [as_uuid(account_id, "account")])
    except NotFound:
        return lambda: None
