"""A trader's desk for tests below HTTP: one account, orders through the services, and what became of them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F

from accounts.models import PaperAccount, User
from orders.models import Fill, Order
from orders.replacing import replace
from orders.selectors import events_of_order
from orders.services import cancel, submit
from papertrade.proof import audits
from papertrade.trading.accounts import reset_account
from portfolio.models import Audit, AuditReport, Book, Position
from tests.factories import AccountFactory


def let_a_night_pass() -> None:
    """Every audit so far is of yesterday."""
    AuditReport.objects.update(started_at=F("started_at") - timedelta(days=1))
    Audit.objects.update(asked_at=F("asked_at") - timedelta(days=1))


def audit_by_night() -> AuditReport | None:
    """What beat and a worker do in a night; the report of an audit that was due."""
    waiting = audits.tend()
    return audits.carry_out(waiting[0]) if waiting else None


def dec(value: object) -> Decimal:
    """A decimal from its text."""
    return Decimal(str(value))


class Desk:
    """One account. Orders are market day buys of 10 IBM unless said otherwise; None leaves a field out."""

    def __init__(self, user: User, initial_cash: str = "100000", policy: dict[str, Any] | None = None) -> None:
        self.account: PaperAccount = AccountFactory(user=user, initial_cash=initial_cash, policy=policy)

    @classmethod
    def at(cls, account: PaperAccount) -> "Desk":
        """A desk at an account that is open already."""
        desk = cls.__new__(cls)
        desk.account = account
        return desk

    def buy(self, qty: str = "10", limit: str | None = None, symbol: str = "IBM", **more: Any) -> Order:
        """Submit a buy; with `limit` a limit order."""
        kind = {"type": "market"} if limit is None else {"type": "limit", "limit_price": limit}
        order = {"symbol": symbol, "qty": qty, "side": "buy", "time_in_force": "day", **kind, **more}
        return submit(account=self.account, payload=order).order

    def sell(self, qty: str = "10", limit: str | None = None, symbol: str = "IBM", **more: Any) -> Order:
        """Submit a sell."""
        return self.buy(qty, limit, symbol, side="sell", **more)

    def cancel(self, order: Order) -> Order:
        """Cancel it."""
        return cancel(account=self.account, order_id=order.id)

    def replace(self, order: Order, **changes: Any) -> Order:
        """Put another order in its place."""
        return replace(account=self.account, order_id=order.pk, payload=changes).order

    def reset(self, **values: Any) -> None:
        """Start the next generation."""
        reset_account(account=self.account, confirm=True, **values)

    def now(self, order: Order) -> Order:
        """The order as it is stored now."""
        return Order.objects.get(pk=order.pk)

    def state(self, order: Order) -> tuple[str, str]:
        """Its status, and the reason that goes with it."""
        order = self.now(order)
        return order.status, order.reason

    def fills(self, order: Order) -> list[tuple[str, str]]:
        """(qty, price) of its fills, oldest first."""
        rows = Fill.objects.filter(order_id=order.pk).order_by("seq")
        return [(f"{fill.qty.normalize():f}", f"{fill.price:.2f}") for fill in rows]

    def events(self, order: Order) -> list[tuple[str, str]]:
        """(type, reason) of its events."""
        return [(event.type, event.reason) for event in events_of_order(order=order)]

    @property
    def book(self) -> Book:
        """The latest book."""
        return Book.objects.filter(account=self.account).latest("generation_number")

    @property
    def buying_power(self) -> Decimal:
        """Cash less held cash."""
        return self.book.cash - self.book.held_cash

    def position(self, symbol: str = "IBM") -> Position:
        """The position of the latest book."""
        return Position.objects.get(book=self.book, symbol=symbol)
