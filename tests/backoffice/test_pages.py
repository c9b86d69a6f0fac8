"""Every list and every page of the admin answers; history cannot be changed, whatever rights somebody has."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, Generation, PaperAccount, User
from marketdata.models import MarketClock, QuoteRecord, TradingSession
from orders.models import Fill, Order, Sweep
from papertrade.lib.admin.history import HistoryAdmin
from portfolio.models import AccountEvent, EquitySnapshot, LedgerTransaction, Position
from tests.desk import Desk
from tests.factories import TokenFactory

HISTORY = [
    ApiKey, Generation, PaperAccount, Order, Fill, Sweep, AccountEvent, EquitySnapshot, LedgerTransaction, Position,
    QuoteRecord, TradingSession, MarketClock,
]  # fmt: skip
every_history = pytest.mark.parametrize("model", HISTORY, ids=lambda model: model.__name__)


def address(model: Any, action: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=args)


@pytest.fixture
def everything(traded: Desk) -> Desk:
    """A row of every kind."""
    TokenFactory(user=traded.account.user)
    Sweep.objects.create(kind="open", session_date="2013-10-07", round=1, at=traded.account.created_at, quotes=[])
    return traded


def test_every_model_with_history_is_there() -> None:
    ours = {
        model
        for app in ("accounts", "orders", "portfolio", "marketdata")
        for model in apps.get_app_config(app).get_models()
    }
    inside = {
        "Book",
        "LedgerEntry",
        "Lease",
        "SweepChunk",
        "Mark",
        "SnapshotMonth",
        "AuditPart",
        "Watchlist",
    }  # shown as part of another page, or of none
    assert {model.__name__ for model in ours if not admin.site.is_registered(model)} <= inside


@every_history
def test_an_auditor_reads_the_list_and_the_page(everything: Desk, auditor: Client, model: Any) -> None:
    listed = auditor.get(address(model))
    assert listed.status_code == 200
    row = model.objects.order_by("pk").first()
    page = auditor.get(address(model, "change", row.pk))
    assert page.status_code == 200
    assert b"_save" not in page.content


@every_history
@pytest.mark.parametrize("who", ["operator", "superuser"])
def test_nobody_changes_history(everything: Desk, request: Any, model: Any, who: str) -> None:
    client = request.getfixturevalue(who)
    row = model.objects.order_by("pk").first()
    assert client.post(address(model, "add"), {}).status_code == 403
    assert client.post(address(model, "change", row.pk), {}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in client.get(address(model)).content.decode()
    assert model.objects.filter(pk=row.pk).exists()


def test_history_admins_are_those() -> None:
    assert {model for model, page in admin.site._registry.items() if isinstance(page, HistoryAdmin)} >= set(HISTORY)


@every_history
def test_who_is_not_staff_sees_nothing(everything: Desk, model: Any) -> None:
    client = Client()
    client.force_login(everything.account.user)
    for path in (address(model), address(model, "export")):
        response = client.get(path)
        assert response.status_code == 302
        assert response.url.startswith("/admin/login/")


@every_history
def test_staff_without_a_group_reads_nothing(everything: Desk, model: Any) -> None:
    from tests.backoffice.conftest import signed_in, staff

    client = signed_in(staff())
    assert client.get(address(model)).status_code == 403
    assert client.get(address(model, "export")).status_code == 403


def test_a_key_shows_no_secret(everything: Desk, superuser: Client) -> None:
    key = ApiKey.objects.get()
    for path in (address(ApiKey), address(ApiKey, "change", key.pk), address(ApiKey, "export")):
        response = superuser.get(path)
        content = b"".join(response) if response.streaming else response.content
        assert key.prefix.encode() in content
        assert key.secret_sha256.encode() not in content


def test_an_auditor_sees_no_password_hash(everything: Desk, auditor: Client) -> None:
    user = everything.account.user
    page = auditor.get(address(User, "change", user.pk))
    assert page.status_code == 200
    assert user.username in page.content.decode()
    assert "algorithm" not in page.content.decode()
    assert auditor.post(address(User, "change", user.pk), {"username": "other"}).status_code == 403
