"""An auditor's walk by links alone: from an archived account to the quote behind one fill, to the ledger, and back."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse

from orders.models import Fill
from papertrade import tasks
from papertrade.lib.admin import cells
from papertrade.trading.accounts import archive_account
from portfolio.models import Audit, AuditReport
from tests.desk import Desk


@pytest.fixture
def invited(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The audits that workers were asked to share, once for each worker."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.work_on_audit, "apply_async", lambda arguments, **_: sent.extend(arguments))
    return sent


def follow(client: Client, page: Any, label: str) -> Any:
    """The page behind the link of that text."""
    found = re.search(rf'<a href="([^"]+)"[^>]*>(?:<[^>]+>)?{label}<', _content(page))
    assert found, f"no link {label!r} on {page.request['PATH_INFO']}"
    answer = client.get(found[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    return answer


def _content(page: Any) -> str:
    """The page without the site's navigation."""
    return page.content.decode().split('<div id="content"', 1)[1]


def test_from_an_archived_account_to_the_quote_and_back(auditor: Client, traded: Desk) -> None:
    archive_account(account=traded.account, reason="strategy retired")
    name = traded.account.name
    page = auditor.get(reverse("admin:accounts_paperaccount_changelist"), {"status": "archived"})
    page = follow(auditor, page, name)
    page = follow(auditor, page, "#1")  # the generation
    page = follow(auditor, page, "Orders")
    page = follow(auditor, page, "#1")  # the order
    page = follow(auditor, page, "Events")
    page = follow(auditor, page, r"#3")  # opened, submitted, filled
    page = follow(auditor, page, "Fill")
    assert "100.1" in page.content.decode()
    quote = follow(auditor, page, "Quote")
    assert quote.context["original"].ask == Fill.objects.get().quote.ask
    page = follow(auditor, quote, "Ledger transactions on it")
    page = follow(auditor, page, "#2")
    assert "securities" in page.content.decode()
    page = follow(auditor, page, "Fill")  # the list with that one fill
    page = follow(auditor, page, "#3")
    page = follow(auditor, page, "Order")
    page = follow(auditor, page, "Account")
    assert page.context["original"] == traded.account
    page = follow(auditor, quote, "Fills on this quote")
    assert [fill.pk for fill in page.context["cl"].result_list] == [Fill.objects.get().pk]


def test_an_account_shows_its_figures_and_chart(auditor: Client, traded: Desk) -> None:
    page = auditor.get(reverse("admin:accounts_paperaccount_change", args=[traded.account.pk]))
    assert page.context["figures"]["Equity"] == "99,999.00"
    chart = page.context["chart"]
    equity = chart["figures"]["equity"]["data"][0]
    assert equity["y"][-1] == 99999.0
    assert len(equity["x"]) == len(equity["y"]) == chart["points"]
    traded.reset()
    earlier = auditor.get(page.request["PATH_INFO"], {"generation": 1})
    assert earlier.context["chart"] == chart
    assert auditor.get(page.request["PATH_INFO"], {"generation": 7}).status_code == 404


def test_the_audit_of_an_account(auditor: Client, traded: Desk, invited: list[int]) -> None:
    address = reverse("admin:account_audit", args=[traded.account.pk])
    assert auditor.get(address).status_code == 405
    page = auditor.post(address, follow=True)
    audit = page.context["original"]
    assert (audit.scope, invited) == (f"account {traded.account.pk}", [audit.pk])
    assert "0 of 1 books (0 %)" in _content(page) and "No worker has finished a part" in _content(page)
    assert auditor.post(address, follow=True).context["original"] == audit, "one at a time"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE portfolio_ledgertransaction DISABLE TRIGGER USER")
        cursor.execute("UPDATE portfolio_ledgertransaction SET price = 99 WHERE sequence = 2")
        cursor.execute("ALTER TABLE portfolio_ledgertransaction ENABLE TRIGGER USER")
    while tasks.work_on_audit(audit.pk):
        pass
    page = auditor.get(page.request["PATH_INFO"])
    assert "1 of 1 books (100 %)" in _content(page) and 'http-equiv="refresh"' not in page.content.decode()
    assert "ledger transaction 2" in _content(follow(auditor, page, "Report"))
    assert (report := AuditReport.objects.latest("pk")).difference_count > 0
    assert report.scope == f"account {traded.account.pk}"


def test_an_audit_of_all_books_is_asked_for_and_canceled(
    auditor: Client, operator: Client, traded: Desk, invited: list[int]
) -> None:
    start = reverse("admin:audit_start")
    audit = auditor.post(start, {"extent": "full"}, follow=True).context["original"]
    cancel = reverse("admin:audit_cancel", args=[audit.pk])
    assert "Cancel</button>" in _content(auditor.get(cells.page_of(Audit, audit.pk)))
    assert "canceled by" in _content(auditor.post(cancel, follow=True))
    other = operator.post(start, {"extent": "increment"}, follow=True).context["original"]
    assert other.extent == "full", "there is nothing yet that it could go on from"
    cancel = reverse("admin:audit_cancel", args=[other.pk])
    assert "Cancel</button>" not in _content(auditor.get(cells.page_of(Audit, other.pk)))
    assert auditor.post(cancel).status_code == 403 and not Audit.objects.get(pk=other.pk).is_over
    assert operator.post(cancel).status_code == 302 and Audit.objects.get(pk=other.pk).is_over
    assert LogEntry.objects.filter(change_message__contains="full audit of all books").count() == 4
