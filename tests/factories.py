"""Users, keys and accounts for tests, made through the services that make real ones."""

import factory

from accounts.models import ApiKey, Scope, User
from accounts.services import create_user, issue_key, let_move_market
from papertrade.trading.accounts import open_account


class UserFactory(factory.Factory):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"trader{n}")
    password = "a passphrase of nobody's"

    @classmethod
    def _create(cls, model_class: type, *args: object, **values: object) -> User:
        return create_user(**values)


class TokenFactory(factory.Factory):
    """The bearer token of a new key; `TokenFactory(user=..., scopes=[...])`."""

    class Meta:
        model = ApiKey

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"key {n}")
    scopes = factory.LazyFunction(lambda: [Scope.PAPER])

    @classmethod
    def _create(cls, model_class: type, *args: object, **values: object) -> str:
        if Scope.MARKET in values["scopes"]:
            let_move_market(user=values["user"])
        return issue_key(**values)[1]


class AccountFactory(factory.Factory):
    """An open account; the market must have been started, for its clock."""

    class Meta:
        model = dict

    user = factory.SubFactory(UserFactory)
    name = "Paper Account"
    initial_cash = "100000"

    @classmethod
    def _create(cls, model_class: type, *args: object, **values: object) -> object:
        return open_account(**values)
