"""What an operator does in the admin: through the services, with a reason that the event and the log keep."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, PaperAccount
from accounts.services import authenticate_key
from papertrade.backoffice.groups import AUDITOR, OPERATOR, make_groups
from portfolio.models import AccountEvent
from tests.desk import Desk
from tests.factories import TokenFactory

WHY = "asked for by the desk, ticket 12"


def act(client: Client, model: str, action: str, *rows: Any, reason: str | None = WHY) -> Any:
    """Run an action on rows; without a reason only its page is asked for."""
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    if reason is not None:
        data["reason"] = reason
    return client.post(reverse(f"admin:{model}_changelist"), data, follow=True)


class TestCancel:
    def test_asks_for_a_reason_first(self, operator: Client, traded: Desk) -> None:
        order = traded.buy("1", limit="90")
        page = act(operator, "orders_order", "cancel", order, reason=None)
        assert "Cancel orders" in page.content.decode()
        assert traded.state(order)[0] == "new"
        act(operator, "orders_order", "cancel", order, reason="   ")
        assert traded.state(order)[0] == "new"

    def test_cancels_and_keeps_the_reason(self, operator: Client, traded: Desk) -> None:
        order = traded.buy("1", limit="90")
        act(operator, "orders_order", "cancel", order)
        assert traded.state(order) == ("canceled", "requested")
        assert traded.events(order)[-1] == ("order_canceled", WHY)
        logged = LogEntry.objects.get()
        assert (logged.object_id, logged.change_message) == (str(order.pk), f"canceled: {WHY}")

    def test_what_cannot_be_canceled_is_said_and_the_rest_is_done(self, operator: Client, traded: Desk) -> None:
        filled, resting = traded.buy("1"), traded.buy("1", limit="90")
        page = act(operator, "orders_order", "cancel", filled, resting)
        assert "The order is filled, not open." in page.content.decode()
        assert traded.state(filled)[0] == "filled"
        assert traded.state(resting)[0] == "canceled"
        assert LogEntry.objects.count() == 1

    def test_a_busy_account_is_said(self, operator: Client, traded: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        def busy(**values: Any) -> None:
            raise OperationalError("canceling statement due to lock timeout")

        order = traded.buy("1", limit="90")
        monkeypatch.setattr("orders.admin.cancel", busy)
        page = act(operator, "orders_order", "cancel", order)
        assert "busy. Nothing was done; try again." in page.content.decode()
        assert not LogEntry.objects.exists()

    def test_an_auditor_may_not(self, auditor: Client, traded: Desk) -> None:
        order = traded.buy("1", limit="90")
        act(auditor, "orders_order", "cancel", order)
        assert traded.state(order)[0] == "new"
        assert not LogEntry.objects.exists()

    def test_the_page_of_an_open_order_offers_it(self, operator: Client, auditor: Client, traded: Desk) -> None:
        resting, filled = traded.buy("1", limit="90"), traded.buy("1")
        button = 'name="action" value="cancel"'
        for client, order, offered in ((operator, resting, True), (operator, filled, False), (auditor, resting, False)):
            page = client.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
            assert (button in page) is offered


class TestRevoke:
    def test_ends_the_key_at_once(self, operator: Client, trader: Any) -> None:
        token = TokenFactory(user=trader)
        act(operator, "accounts_apikey", "revoke", ApiKey.objects.get())
        assert authenticate_key(token) is None
        assert LogEntry.objects.get().change_message == f"revoked: {WHY}"

    def test_an_auditor_may_not(self, auditor: Client, trader: Any) -> None:
        token = TokenFactory(user=trader)
        act(auditor, "accounts_apikey", "revoke", ApiKey.objects.get())
        assert authenticate_key(token) is not None


class TestArchive:
    def test_cancels_closes_and_keeps_the_reason(self, operator: Client, traded: Desk) -> None:
        act(operator, "accounts_paperaccount", "archive", traded.account)
        assert PaperAccount.objects.get(pk=traded.account.pk).is_archived
        event = AccountEvent.objects.get(type="account_archived")
        assert event.reason == WHY
        assert LogEntry.objects.get().change_message == f"archived: {WHY}"

    def test_an_auditor_may_not(self, auditor: Client, traded: Desk) -> None:
        act(auditor, "accounts_paperaccount", "archive", traded.account)
        assert not PaperAccount.objects.get(pk=traded.account.pk).is_archived


class TestGroups:
    def test_are_made_once_and_mended(self, db: None) -> None:
        operator = Group.objects.get(name=OPERATOR)
        operator.permissions.remove(operator.permissions.get(codename="change_order"))
        make_groups()
        make_groups()
        assert Group.objects.filter(name__in=[AUDITOR, OPERATOR]).count() == 2
        assert operator.permissions.filter(codename="change_order").exists()

    def test_an_auditor_only_views(self, db: None) -> None:
        codenames = Group.objects.get(name=AUDITOR).permissions.values_list("codename", flat=True)
        assert codenames
        assert all(name.startswith("view_") for name in codenames)
