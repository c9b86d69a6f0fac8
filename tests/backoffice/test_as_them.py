"""A user's dashboard as that user sees it: to look at, in a transaction that cannot write, and in the log of acts."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import InternalError, transaction
from django.test import Client
from django.urls import clear_script_prefix, get_script_prefix, reverse

from papertrade.backoffice import as_them
from papertrade.dashboard.urls import urlpatterns
from tests.backoffice.conftest import signed_in, staff
from tests.desk import Desk


def page(desk: Desk, path: str = "") -> str:
    return f"{reverse('admin:as_them', args=[desk.account.user_id])}{path}"


def test_it_works(traded: Desk, auditor: Client) -> None:
    account = f"accounts/{traded.account.pk}/"
    cards = auditor.get(page(traded))
    assert cards.status_code == 200
    text = cards.content.decode()
    assert f"You see what {traded.account.user.username} sees" in text
    assert f'href="{page(traded, account)}"' in text  # and so do all its links
    overview = auditor.get(page(traded, account))
    assert overview.status_code == 200 and traded.account.name in overview.content.decode()
    for acts in ('id="ticket"', "data-act=", "data-events="):
        assert acts not in overview.content.decode()
    assert 'id="ticket"' in signed_in(traded.account.user).get(f"/{account}").content.decode()
    assert get_script_prefix() == "/"
    assert auditor.get(reverse("admin:index")).wsgi_request.user.username != traded.account.user.username


PAGES = ["", "compare/", "keys/", *(f"accounts/{{account}}/{name}" for name in (
    "", "charts/", "performance/", "trades/", "orders/", "fills/", "positions/", "ledger/", "generations/", "orders.csv",
))]  # fmt: skip


def test_every_page_can_be_looked_at(traded: Desk, auditor: Client) -> None:
    for path in PAGES:
        response = auditor.get(page(traded, path.format(account=traded.account.pk)))
        assert response.status_code == 200, path
        if response.streaming:
            assert b"".join(response).count(b"\n") > 1


def test_nothing_can_be_changed(traded: Desk, superuser: Client) -> None:
    for path in ("", "accounts/new/", f"accounts/{traded.account.pk}/manage/", "keys/"):
        for method in ("post", "put", "patch", "delete"):
            response = getattr(superuser, method)(page(traded, path), {"name": "x"})
            assert response.status_code == 403, (method, path)


def test_what_would_write_all_the_same_is_refused_by_the_database(
    traded: Desk, superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def writes(request: Any) -> None:
        request.user.save()

    monkeypatch.setattr(as_them, "resolve", lambda path: _Match(writes))
    with pytest.raises(InternalError, match="read-only transaction"), transaction.atomic():
        superuser.get(page(traded))
    traded.buy("1")  # and what comes after it writes


class _Match:
    app_name, url_name, args, kwargs = "dashboard", "accounts", (), {}

    def __init__(self, func: Any) -> None:
        self.func = func


def test_each_page_is_in_the_log_of_acts_once_in_five_minutes(traded: Desk, auditor: Client) -> None:
    auditor.get(page(traded, "keys/"), headers={"If-None-Match": "x"})
    auditor.get(page(traded, "keys/"))
    [entry] = LogEntry.objects.filter(change_message__contains="as them")
    assert entry.object_repr == traded.account.user.username and "/keys/" in entry.change_message
    assert entry.user.username != traded.account.user.username
    LogEntry.objects.update(action_time=entry.action_time - as_them.SAME_LOOK)
    auditor.get(page(traded, "keys/"))
    assert LogEntry.objects.filter(change_message=entry.change_message).count() == 2


def test_what_is_no_page_of_theirs_is_gone_to_as_oneself(traded: Desk, auditor: Client) -> None:
    for path in ("login/", "logout/", "password/", "docs/", "admin/", "v1/status/", "nowhere/", "symbols/a%00b/"):
        response = auditor.get(page(traded, path))
        assert (response.status_code, response.headers["Location"]) == (302, f"/{path}")
    assert not LogEntry.objects.filter(change_message__contains="as them").exists()


def test_who_may(traded: Desk, operator: Client) -> None:
    assert operator.get(page(traded)).status_code == 200
    assert signed_in(staff()).get(page(traded)).status_code == 403
    assert signed_in(traded.account.user).get(page(traded)).status_code == 302
    assert operator.get(reverse("admin:as_them", args=[10**9])).status_code == 404
    assert not LogEntry.objects.filter(object_id=str(10**9)).exists()


def test_every_page_of_the_dashboard_resolves_below_it() -> None:
    """The prefix is put in front by Django's own means, so that no address of the pages is written twice."""
    clear_script_prefix()
    assert {pattern.name for pattern in urlpatterns} > as_them.OWN
