"""The home page of the admin, the search for any id, and what the log of acts knows of exports."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import ApiKey
from orders.models import Fill, Order, Sweep
from papertrade.backoffice.home import SECTIONS
from papertrade.backoffice.search import is_a_key, of_request
from papertrade.lib import tallies, tracing, valkey
from papertrade.lib.admin import cells
from papertrade.operations import presence, storage
from papertrade.operations.presence import Beacon
from portfolio.models import LedgerTransaction
from tests.backoffice.conftest import signed_in, staff
from tests.desk import Desk
from tests.factories import TokenFactory


def home(client: Client) -> Any:
    response = client.get(reverse("admin:index"))
    assert response.status_code == 200
    return response


@pytest.fixture
def nothing_told() -> None:
    tallies.take()
    for name in valkey.client().scan_iter("papertrade:*"):
        if name.decode().startswith(
            (presence.PROCESSES, presence.MINUTE, presence.USAGE, presence.SLOW, storage.SAMPLES)
        ):
            valkey.client().delete(name)


class TestHome:
    def test_it_works(self, nothing_told: None, traded: Desk, auditor: Client) -> None:
        token = TokenFactory(user=traded.account.user)
        key = ApiKey.objects.get()
        Sweep.objects.create(kind="open", session_date="2013-10-07", round=1, at=traded.account.created_at, quotes=[])
        who = {"user": traded.account.user.username, "key": key.prefix}
        line = {
            "request_id": "slow-1",
            "what": "POST /v1/",
            "status": "201",
            "at": datetime.now(UTC).isoformat(),
            **who,
        }
        tallies.count_request(seconds=2.5, failed=False, orders=1, line=line, **who)
        Beacon("feed", role=lambda: "leads").beat()
        text = home(auditor).content.decode()
        for shown in (
            "leads",
            "open of 2013-10-07",
            "2.5 s",
            "slow-1",
            who["user"],
            str(key),
            storage.tables()[0].name,
        ):
            assert shown in text
        assert "none heard from" in text  # of web, worker and beat
        assert token not in text

    def test_who_may_read_no_orders_sees_the_lists_that_he_may_read_and_no_more(self, traded: Desk) -> None:
        response = home(signed_in(staff()))
        assert "operations" not in response.context and "Storage" not in response.content.decode()

    def test_what_is_away_leaves_the_rest(self, traded: Desk, auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(valkey, "_client", redis.Redis.from_url("redis://127.0.0.1:1/0"))
        response = home(auditor)
        away = {name for name, section in response.context["operations"].items() if section is None}
        assert away == {"processes", "queue", "minutes", "slowest", "usage"} and away < SECTIONS.keys()
        assert "Valkey does not answer" in response.content.decode()

    def test_it_costs_the_same_however_many_rows_there_are(self, traded: Desk, auditor: Client) -> None:
        home(auditor)
        with CaptureQueriesContext(connection) as few:
            home(auditor)
        for _ in range(20):
            traded.sell("500")
        with CaptureQueriesContext(connection) as many:
            home(auditor)
        assert len(many) == len(few)
        tables = [
            sql["sql"] for sql in many.captured_queries if "COUNT(" in sql["sql"] and "orders_order" in sql["sql"]
        ]
        assert not tables


class TestStorage:
    def test_parts_are_counted_as_their_table(self, desk: Desk) -> None:
        found = {table.name: table for table in storage.tables()}
        assert found["portfolio_equitysnapshot"].size > 0
        assert not [name for name in found if name.startswith("portfolio_equitysnapshot_")]
        assert found["orders_order"].grew_in_a_day is None

    def test_growth_is_since_the_samples_of_a_day_and_a_week_ago(
        self, nothing_told: None, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        today = storage._today()
        storage.keep_sample()
        kept = json.loads(valkey.client().hget(storage.SAMPLES, str(today)))
        valkey.client().hset(
            storage.SAMPLES, str(today), json.dumps({**kept, "orders_order": kept["orders_order"] - 500})
        )
        storage.keep_sample()  # the day has one already
        for later, grew in ((1, (500, None)), (7, (None, 500))):
            monkeypatch.setattr(storage, "_today", lambda later=later: today + later)
            [orders] = [table for table in storage.tables() if table.name == "orders_order"]
            assert (orders.grew_in_a_day, orders.grew_in_a_week) == grew
        monkeypatch.setattr(storage, "_today", lambda: today + storage.KEPT_DAYS + 1)
        storage.keep_sample()
        assert valkey.client().hkeys(storage.SAMPLES) == [str(today + storage.KEPT_DAYS + 1).encode()]


def searched(client: Client, text: str) -> Any:
    return client.post(reverse("admin:search"), {"q": text}, follow=True)


@pytest.fixture
def known(traded: Desk) -> dict[str, tuple[str, Any]]:
    """What is searched for by its name, and the row that it should lead to."""
    with tracing.tracing(tracing.Trace("bot-77")):
        mine = traded.buy("1", client_order_id="my own id")
    TokenFactory(user=traded.account.user)
    key, fill = ApiKey.objects.get(), Fill.objects.first()
    ledger = LedgerTransaction.objects.exclude(fill=None).first()
    generation = traded.account.generations.get()
    return {
        "order": (str(mine.pk), mine),
        "order without hyphens": (mine.pk.hex, mine),
        "client order id": (" my own id ", Order.objects.get(pk=mine.pk)),
        "account": (str(traded.account.pk), traded.account),
        "key prefix": (key.prefix, key),
        "key prefix with its mark": (f"cm_{key.prefix}", key),
        "request id": ("bot-77", of_request("bot-77").get()),
        "ledger transaction": (str(ledger.pk), ledger),
        "fill": (str(fill.pk), fill),
        "quote": (str(fill.quote_id), fill.quote),
        "generation": (str(generation.pk), generation),
        "user": (traded.account.user.username, traded.account.user),
    }


class TestSearch:
    def test_each_kind_of_id_leads_to_its_row(self, known: Any, auditor: Client) -> None:
        for kind, (text, row) in known.items():
            response = searched(auditor, text)
            assert response.status_code == 200
            assert response.request["PATH_INFO"] == cells.page_of(type(row), row.pk), kind

    def test_what_is_no_id_is_said(self, traded: Desk, auditor: Client) -> None:
        for text in ("nothing", "", "0198c0de-0000-7000-8000-000000000000", "7" * 40, "\x00", "'; --", "é" * 300):
            response = searched(auditor, text)
            assert response.status_code == 200 and response.context["found"] == [], text

    def test_several_are_listed(self, traded: Desk, trader: Any, auditor: Client) -> None:
        other = Desk(trader)
        for desk in (traded, other):
            desk.buy("1", client_order_id="daily")
        assert len(searched(auditor, "daily").context["found"]) == 2

    def test_a_key_that_is_pasted_whole_stands_in_no_address(self, traded: Desk, auditor: Client) -> None:
        token = TokenFactory(user=traded.account.user)
        key = ApiKey.objects.get()
        for response in (searched(auditor, token), auditor.get(reverse("admin:search"), {"q": token}, follow=True)):
            assert response.request["PATH_INFO"] == cells.page_of(ApiKey, key.pk)
            assert not any(token in address for address, _ in response.redirect_chain)
        assert is_a_key(token) and not is_a_key(f"cm_{key.prefix}") and not is_a_key(tracing.request_id_from(""))

    def test_nobody_finds_what_he_may_not_read(self, known: Any) -> None:
        client = signed_in(staff())
        assert all(searched(client, text).context["found"] == [] for text, _ in known.values())

    def test_events_of_a_request_are_found_by_their_index(self, known: Any) -> None:
        with connection.cursor() as cursor:
            # Of a few rows any plan costs the same; by a bitmap only an index that the condition can use is read. Without
            # the accounts, by whose join another index could be used.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        assert "event_request" in of_request("bot-77").select_related(None).order_by().explain()

    def test_the_field_stands_on_every_page_of_the_staff(self, traded: Desk, auditor: Client) -> None:
        for name in ("admin:index", "admin:orders_order_changelist", "admin:search"):
            assert f'action="{reverse("admin:search")}"' in auditor.get(reverse(name)).content.decode()
        assert "search-any" not in Client().get("/admin/login/").content.decode()


def test_an_export_is_in_the_log_of_acts(traded: Desk, auditor: Client) -> None:
    b"".join(auditor.get(reverse("admin:orders_order_export"), {"status": "filled"}))
    b"".join(auditor.get(reverse("admin:orders_fill_export")))
    said = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert said == ["exported orders: status=filled", "exported fills, all of them"]
    page = auditor.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert "exported orders: status=filled" in page


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (1_234_567, "1.2 MB"),
        (250_000_000_000, "250 GB"),
        (-5_500, "\N{MINUS SIGN}5.5 kB"),
    ],
)
def test_sizes(number: int, said: str) -> None:
    assert cells.size(number) == said
