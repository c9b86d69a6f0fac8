"""Lists of the admin: the queries they cost, paging by key, filters, search, and CSV."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import ApiKey, PaperAccount
from accounts.services import revoke_key
from orders.models import Fill, Order
from papertrade.lib.admin.history import ROWS_PER_PAGE
from papertrade.lib.spreadsheets import csv_value
from portfolio.models import AccountEvent
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.live_kit import LiveKit
from tests.market_kit import MarketKit

LISTS = [
    "accounts_user",
    "accounts_paperaccount",
    "accounts_generation",
    "accounts_apikey",
    "orders_order",
    "orders_fill",
    "portfolio_accountevent",
    "portfolio_position",
    "portfolio_ledgertransaction",
    "portfolio_equitysnapshot",
    "marketdata_quoterecord",
]


BY_ACCOUNT = [name for name in LISTS if name.startswith(("orders", "portfolio"))]


def listed(client: Client, name: str, **query: Any) -> Any:
    """The list as Django's admin sees it."""
    response = client.get(f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}")
    assert response.status_code == 200, response.headers
    return response.context["cl"]


def numbers(client: Client, **query: Any) -> list[int]:
    return [order.number for order in listed(client, "orders_order", **query).result_list]


def exported(client: Client, name: str, **query: Any) -> list[dict[str, str]]:
    response = client.get(f"{reverse(f'admin:{name}_export')}?{urlencode(query)}")
    assert response.streaming
    return list(csv.DictReader(StringIO(b"".join(response).decode())))


class TestQueries:
    def test_a_list_costs_the_same_with_5_rows_and_with_50(self, auditor: Client, open_market: Any) -> None:
        self._trade(5)
        few = {name: self._queries(auditor, name) for name in LISTS}
        self._trade(ROWS_PER_PAGE - 5)
        for name, (statements, rows) in few.items():
            many, more = self._queries(auditor, name)
            assert more > rows or name == "marketdata_quoterecord"  # one quote served them all
            assert len(many) == len(statements), "\n".join([name, *many])

    def test_nothing_is_counted(self, auditor: Client, traded: Desk) -> None:
        for name in LISTS[1:]:
            statements, _ = self._queries(auditor, name)
            assert not [sql for sql in statements if "COUNT(" in sql.upper()]

    def _trade(self, count: int) -> None:
        """A row of everything, `count` times, each of a user of its own."""
        for _ in range(count):
            user = UserFactory()
            Desk(user).buy("1")
            TokenFactory(user=user)

    def _queries(self, client: Client, name: str) -> tuple[list[str], int]:
        with CaptureQueriesContext(connection) as caught:
            rows = len(listed(client, name).result_list)
        return [query["sql"] for query in caught.captured_queries], rows


class TestPaging:
    @pytest.fixture
    def many(self, desk: Desk) -> Desk:
        for _ in range(2 * ROWS_PER_PAGE + 7):
            desk.sell("500")
        return desk

    @pytest.mark.parametrize("scope", [{}, {"account": True}, {"since": "2013-10-07"}], ids=["all", "account", "dates"])
    def test_next_and_previous_walk_over_every_row_once(
        self, auditor: Client, many: Desk, scope: dict[str, Any]
    ) -> None:
        query = {"account": many.account.pk} if "account" in scope else scope
        page, walked = listed(auditor, "orders_order", **query), []
        while True:
            walked.append([order.number for order in page.result_list])
            if not page.older_link:
                break
            page = self._follow(auditor, page.older_link)
        assert [len(rows) for rows in walked] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 7]
        assert [number for rows in walked for number in rows] == list(Order.objects.values_list("number", flat=True))
        assert numbers(auditor, **query, p="newer") == sorted(Order.objects.values_list("number", flat=True))[:50][::-1]
        back = self._follow(auditor, page.newer_link)
        assert [order.number for order in back.result_list] == walked[-2]
        assert back.older_link
        assert back.newer_link

    @pytest.mark.parametrize(
        "page",
        [
            "older~nonsense",
            "older",
            "1",
            "newer~1~2~3",
            "older~" + "9" * 30,
            "older~-1~x",
            "\x00",
            "older~\x00~2020-01-01T00:00:00Z~00000000-0000-0000-0000-000000000000",
        ],
    )
    def test_a_page_that_no_list_wrote_does_no_harm(self, auditor: Client, traded: Desk, page: str) -> None:
        for name in LISTS:
            listed(auditor, name, p=page)
            if name in BY_ACCOUNT:
                listed(auditor, name, p=page, account=traded.account.pk)

    def _follow(self, client: Client, link: str) -> Any:
        return client.get(reverse("admin:orders_order_changelist") + link).context["cl"]


class TestFilters:
    @pytest.fixture
    def two(self, traded: Desk, trader: Any) -> Desk:
        """Three orders in generation 1 of one account, one in generation 2, and one in another account."""
        traded.reset()
        traded.buy("1")
        Desk(trader).buy("1")
        return traded

    def test_by_account_and_generation(self, auditor: Client, two: Desk) -> None:
        assert len(numbers(auditor)) == 5
        assert numbers(auditor, account=two.account.pk) == [4, 3, 2, 1]
        assert numbers(auditor, account=two.account.pk, generation=1) == [3, 2, 1]
        assert numbers(auditor, account=two.account.pk, generation=2) == [4]
        assert numbers(auditor, account=two.account.pk, generation=9) == []
        events = listed(auditor, "portfolio_accountevent", account=two.account.pk, generation=2).result_list
        assert {event.book.generation_number for event in events} == {2}

    def test_by_an_account_s_whole_name(self, auditor: Client, two: Desk) -> None:
        PaperAccount.objects.filter(pk=two.account.pk).update(name="Momentum")
        assert numbers(auditor, account="Momentum") == [4, 3, 2, 1]
        assert numbers(auditor, account="Moment") == []

    def test_by_symbol_and_status(self, auditor: Client, two: Desk) -> None:
        assert numbers(auditor, account=two.account.pk, symbol="ibm") == [4, 3, 2, 1]
        assert numbers(auditor, symbol="AAPL") == []
        assert numbers(auditor, account=two.account.pk, status="rejected") == [3]
        assert numbers(auditor, account=two.account.pk, status__exact="filled") == [4, 1]

    def test_by_days_in_new_york(self, auditor: Client, two: Desk) -> None:
        Order.objects.filter(number=2).update(submitted_at="2013-10-08T03:59:59Z")  # still the 7th in New York
        Order.objects.filter(number=3).update(submitted_at="2013-10-08T04:00:00Z")
        one = {"account": two.account.pk}
        assert numbers(auditor, **one, since="2013-10-07", until="2013-10-07") == [4, 2, 1]
        assert numbers(auditor, **one, since="2013-10-08") == [3]
        assert numbers(auditor, **one, until="2013-10-06") == []

    def test_by_the_quote_that_they_were_decided_on(self, auditor: Client, desk: Desk, open_market: MarketKit) -> None:
        desk.buy("1")
        open_market.advance("14:00:20")
        desk.buy("2")
        first, second = Fill.objects.order_by("seq")
        assert first.quote_id != second.quote_id
        for fill in (first, second):
            for name, key in (
                ("orders_fill", fill.pk),
                ("portfolio_ledgertransaction", fill.ledger_transaction_id),
                ("portfolio_accountevent", AccountEvent.objects.get(fill_id=fill.pk).pk),
            ):
                found = listed(auditor, name, quote=fill.quote_id).result_list
                assert key in {row.pk for row in found} and {row.quote_id for row in found} == {fill.quote_id}
        assert list(listed(auditor, "orders_fill", quote=fill.pk).result_list) == [], "no quote of that id"

    def test_by_a_quote_that_stood_long_after_the_next_was_quoted(
        self, auditor: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A live market hears of a symbol only while somebody looks at it."""
        live = LiveKit(settings, monkeypatch, tmp_path / "live", start="14:00:00")
        live.quote("IBM 100.00 100.10 500 300")
        desk = Desk(UserFactory())
        orders = [desk.buy("1")]
        live.pass_time(hours=2)
        orders.append(desk.buy("2"))
        live.quote("IBM 101.00 101.10 500 300", late=5400)
        orders.append(desk.buy("3"))
        by_quote: dict[Any, list[int]] = {}
        for event in AccountEvent.objects.filter(quote__isnull=False).order_by("seq"):
            by_quote.setdefault(event.quote_id, []).append(event.pk)
        assert list(map(desk.state, orders)) == [("filled", ""), ("new", "quote_stale"), ("new", "quote_stale")]
        assert len(by_quote) == 2
        for quote, events in by_quote.items():
            assert [row.pk for row in listed(auditor, "portfolio_accountevent", quote=quote).result_list][
                ::-1
            ] == events

    @pytest.mark.parametrize(
        "query",
        [
            {"since": "soon"},
            {"since": "0001-01-01"},
            {"until": "9999-12-31"},
            {"generation": "1"},
            {"account": "\x00"},
            {"account": "x", "generation": "first"},
            {"account": "x", "generation": "9" * 30},
            {"order_id": "9" * 30},
            {"book": "9" * 30},
            {"quote": "9" * 30},
        ],
    )
    def test_what_cannot_be_read_does_no_harm(self, auditor: Client, two: Desk, query: dict[str, str]) -> None:
        for name in BY_ACCOUNT:
            response = auditor.get(reverse(f"admin:{name}_changelist"), query, follow=True)
            assert response.status_code == 200

    def test_search_by_id_and_client_order_id(self, auditor: Client, two: Desk) -> None:
        first = Order.objects.get(account=two.account, number=1)
        assert numbers(auditor, q=str(first.pk)) == [1]
        assert numbers(auditor, q=first.client_order_id) == [1]
        assert numbers(auditor, q="nothing of that name") == []
        named = listed(auditor, "accounts_paperaccount", q=str(two.account.pk)).result_list
        assert [account.pk for account in named] == [two.account.pk]

    @pytest.mark.parametrize("text", ["some words", "0198c0de-0000-7000-8000-000000000000", "7", "'; --"])
    def test_any_text_may_be_searched_for(self, auditor: Client, traded: Desk, text: str) -> None:
        for name in LISTS:
            found = listed(auditor, name, q=text).result_list
            assert name == "accounts_user" or not found  # parts of user names are found too


class TestExport:
    def test_every_row_of_the_filtered_list_with_exact_values(self, auditor: Client, traded: Desk) -> None:
        rows = exported(auditor, "orders_order", account=traded.account.pk, status="filled")
        assert [(row["number"], row["qty"], row["exact_cost"]) for row in rows] == [
            ("1", "10.000000", "1001.000000000000")
        ]
        assert rows[0]["submitted_at"] == "2013-10-07T14:00:00.000000Z"
        assert (rows[0]["quote__bid"], rows[0]["quote__ask"]) == ("100.000000", "100.100000")
        assert len(exported(auditor, "orders_order")) == 3

    def test_more_than_a_page(self, auditor: Client, desk: Desk) -> None:
        for _ in range(ROWS_PER_PAGE + 1):
            desk.sell("500")
        assert len(exported(auditor, "orders_order")) == ROWS_PER_PAGE + 1

    def test_every_list_has_one(self, auditor: Client, traded: Desk) -> None:
        TokenFactory(user=traded.account.user)
        assert all(exported(auditor, name) for name in LISTS[1:])

    def test_filters_that_are_none_export_nothing(self, auditor: Client, traded: Desk) -> None:
        exports, lists = (reverse(f"admin:orders_order_{kind}") for kind in ("export", "changelist"))
        for query in ("nonsense=1", "submitted_at__gte=yesterday"):
            response = auditor.get(f"{exports}?{query}")
            assert (response.status_code, response.headers.get("Location")) == (302, lists)
        assert len(exported(auditor, "orders_order", q="\x00")) == 3, "a NUL is no text to look for, nor to log"

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
    def test_a_formula_is_disarmed(self, text: str) -> None:
        assert csv_value(text) == "'" + text

    def test_a_formula_in_a_client_order_id(self, auditor: Client, desk: Desk) -> None:
        desk.buy("1", client_order_id='=HYPERLINK("http://x")')
        assert exported(auditor, "orders_order")[0]["client_order_id"] == '\'=HYPERLINK("http://x")'

    def test_rows_come_from_a_server_side_cursor(self, auditor: Client, traded: Desk) -> None:
        with CaptureQueriesContext(connection) as caught:
            exported(auditor, "orders_order")
        assert any("orders_order" in q["sql"] and "DECLARE" in q["sql"] for q in caught.captured_queries)


def test_keys_by_state(auditor: Client, trader: Any) -> None:
    TokenFactory(user=trader, name="live")
    TokenFactory(user=trader, name="old")
    old = ApiKey.objects.get(name="old")
    revoke_key(user=trader, key_id=old.pk)
    names = {
        state: [key.name for key in listed(auditor, "accounts_apikey", has_revoked_at=state).result_list]
        for state in ("yes", "no")
    }
    assert names == {"yes": ["old"], "no": ["live"]}
