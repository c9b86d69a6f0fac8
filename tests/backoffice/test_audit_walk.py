"""An auditor's walk by links alone: from an archived account to the quote behind one fill, to the ledger, and back."""

import re
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from orders.models import Fill
from papertrade.trading.accounts import archive_account
from portfolio.models import AuditReport
from tests.desk import Desk


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
    assert page.context["figures"]["equity"] == "99,999.00"
    chart = page.context["chart"]
    assert chart["equity"][-1] == 99999.0
    assert len(chart["at"]) == len(chart["equity"]) == len(chart["drawdown"])
    traded.reset()
    earlier = auditor.get(page.request["PATH_INFO"], {"generation": 1})
    assert earlier.context["chart"] == chart
    assert auditor.get(page.request["PATH_INFO"], {"generation": 7}).status_code == 404


def test_the_audit_of_an_account(auditor: Client, traded: Desk) -> None:
    address = reverse("admin:account_audit", args=[traded.account.pk])
    assert auditor.get(address).status_code == 405
    assert "0 differences" in auditor.post(address, follow=True).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE portfolio_ledgertransaction DISABLE TRIGGER USER")
        cursor.execute("UPDATE portfolio_ledgertransaction SET price = 99 WHERE sequence = 2")
        cursor.execute("ALTER TABLE portfolio_ledgertransaction ENABLE TRIGGER USER")
    assert "ledger transaction 2" in auditor.post(address, follow=True).content.decode()
    report = AuditReport.objects.latest("pk")
    assert (report.scope, report.difference_count > 0) == (f"account {traded.account.pk}", True)
