"""The one way to fetch an account for a user: missing and somebody else's look the same."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import AccountStatus, PaperAccount, User
from papertrade.errors import NotFound
from papertrade.postgres import FixedQuery

_ACCOUNT_OF_USER = FixedQuery(PaperAccount.objects.filter(user_id=0).filter(pk=UUID(int=0)))


def accounts_of(*, user: User, include_archived: bool = False) -> QuerySet[PaperAccount]:
    """The user's accounts, oldest first."""
    accounts = PaperAccount.objects.filter(user=user).order_by("created_at", "id")
    return accounts if include_archived else accounts.filter(status=AccountStatus.ACTIVE)


def get_account(*, user: User, account_id: UUID | str) -> PaperAccount:
    """One account of the user, archived ones too. Raises NotFound."""
    account = _ACCOUNT_OF_USER.one([user.pk, as_uuid(account_id, "account")])
    if account is None:
        raise NotFound("There is no such account.")
    return account


def as_uuid(value: UUID | str, thing: str) -> UUID:
    """The id as a UUID. Raises NotFound: what is not an id names nothing."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError:
        raise NotFound(f"There is no such {thing}.") from None
