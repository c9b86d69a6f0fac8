"""One request, one order, one sweep, followed through answer, log, events and workers by the id of the request."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.test import Client

from accounts.models import ApiKey
from papertrade.celery import app
from papertrade.lib import lines, tracing
from papertrade.lib.tracing import REQUEST_ID_LENGTH, Trace, request_id_from
from portfolio.models import REQUESTED_EVENTS, AccountEvent, EventType
from tests.api_kit import Api
from tests.desk import Desk
from tests.factories import UserFactory
from tests.market_kit import DAY, OPEN, MarketKit
from tests.stack.server import wait_until

MADE = request_id_from("")


@pytest.fixture
def told(settings: Any) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """The lines of one kind that were written."""
    settings.LOG_FORMAT, text = "json", io.StringIO()
    log, handler = logging.getLogger(lines.LOGGER), logging.StreamHandler(text)
    log.addHandler(handler)
    yield lambda event: [line for row in text.getvalue().splitlines() if (line := json.loads(row))["event"] == event]
    log.removeHandler(handler)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bot-7:2026-11-25.1", True),
        ("0193b7e2-6f0e-7a6c-8d1c-2b8a4c8f2b11", True),
        ("a" * REQUEST_ID_LENGTH, True),
        pytest.param(MADE, True, id="one that was made"),
        ("a" * (REQUEST_ID_LENGTH + 1), False),
        ("", False),
        ("with space", False),
        ("line\nbreak", False),
        ("-begins-badly", False),
        ("ünicode", False),
        ("<script>", False),
        ("cm_0123456789ab" + "s" * 43, False),  # a key in the wrong header
        ("cm_mine", False),
    ],
)
def test_an_id_is_kept_where_it_is_well_formed(given: str, kept: bool) -> None:
    assert (request_id_from(given) == given) is kept
    assert len(request_id_from(given)) <= REQUEST_ID_LENGTH


def test_new_ids_are_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for second in range(3):
        monkeypatch.setattr("time.time_ns", lambda second=second: second * 10**9)
        made.append(request_id_from(""))
    assert made == sorted(made) and len(set(made)) == 3


def test_an_order_is_followed_from_its_request(committed: None, api: Api, open_market: MarketKit, told: Any) -> None:
    account = api.open_account()
    body = {"symbol": "IBM", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}
    order = api.post(f"{account}/orders/", body, headers={"X-Request-ID": "bot-1"}).json()
    [line] = told("order")
    prefix = ApiKey.objects.get().prefix
    assert {name: line[name] for name in ("request_id", "account", "order", "status", "side", "symbol", "key")} == {
        "request_id": "bot-1",
        "account": account,
        "order": order["id"],
        "status": "filled",
        "side": "buy",
        "symbol": "IBM",
        "key": prefix,
    }
    assert line["ms"] >= line["database_ms"] >= line["waited_ms"] > 0
    access = told("request")[-1]
    assert (access["method"], access["status"], access["path"]) == (
        "POST",
        201,
        f"/v1/paper/accounts/{account}/orders/",
    )
    assert (access["request_id"], access["key"], access["account"]) == ("bot-1", prefix, account)
    assert access["ms"] >= access["database_ms"] >= access["waited_ms"] > 0
    events = AccountEvent.objects.filter(order_id=order["id"])
    assert list(events.values_list("type", "request_id")) == [("order_submitted", "bot-1"), ("order_filled", "bot-1")]


@pytest.mark.parametrize(
    "path", ["/v1/status/", "/v1/nowhere", "/v2/account", "/login/", "/metrics", "/static/nothing"]
)
def test_every_answer_has_the_id_of_its_request(db: None, told: Any, path: str) -> None:
    response = Client().get(path, headers={"X-Request-ID": "mine"})
    assert response.headers["X-Request-ID"] == "mine"
    assert [line["request_id"] for line in told("request")] == ["mine"]


def test_a_line_says_who_was_signed_in_and_nothing_of_the_query(db: None, told: Any, admin_client: Client) -> None:
    admin_client.get("/keys/?secret=1")
    [line] = told("request")
    assert line["user"] == "admin" and line["path"] == "/keys/" and "secret" not in json.dumps(line)


def test_the_lines_of_requests_can_be_switched_off(db: None, told: Any, settings: Any) -> None:
    settings.PAPERTRADE_ACCESS_LOG = False
    Client().get("/v1/status/")
    assert told("request") == []


def test_a_sweep_and_its_chunks_have_a_line_each(closed_market: MarketKit, told: Any) -> None:
    desk = Desk(UserFactory())
    desk.buy("10")
    desk.buy("10", limit="1")
    with tracing.tracing(Trace("advance-1")):
        closed_market.advance("13:30:00")
    [chunk], [sweep] = told("chunk"), told("sweep")
    assert (chunk["sweep"], chunk["run"], chunk["chunk"], chunk["new"]) == (f"open of {DAY}", sweep["run"], 0, 2)
    assert (sweep["sweep"], sweep["chunks"], sweep["due"]) == (f"open of {DAY}", 1, 2)
    assert chunk["request_id"] == sweep["request_id"] == "advance-1"
    assert told("order") == []  # a sweep of 40,000 orders has no line for each: their events say which request it was
    evaluated = AccountEvent.objects.filter(type=EventType.ORDER_EVALUATED, at=OPEN)
    assert set(evaluated.values_list("request_id", flat=True)) == {"advance-1"}


def test_a_line_stays_one_line(settings: Any, told: Any, caplog: pytest.LogCaptureFixture) -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logging.getLogger(lines.LOGGER).addHandler(handler)
    for kind in ("line", "json"):
        settings.LOG_FORMAT = kind
        lines.say("order", client_order_id='a\nforged "line"\u2028', empty="")
    logging.getLogger(lines.LOGGER).removeHandler(handler)
    first, second = text.getvalue().splitlines()
    assert "\\n" in first and "empty" not in first
    assert json.loads(second)["client_order_id"] == 'a\nforged "line"\u2028'


SEEN: list[str] = []


@shared_task
def look_at_the_cause() -> None:
    SEEN.append(tracing.request_id())


def test_a_worker_knows_which_request_its_task_is_for(outside_of_any_loop: None) -> None:
    SEEN.clear()
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30) as worker:
        with tracing.tracing(Trace("advance-2")):
            look_at_the_cause.apply_async()
        look_at_the_cause.apply_async()
        worker.ensure_started()
        wait_until(lambda: len(SEEN) == 2, "both tasks")
    assert SEEN == ["advance-2", ""]


def test_what_is_indexed_by_request_is_what_a_request_leaves_first() -> None:
    """What follows from it (evaluations, fills) or comes by the clock (expiries, settlements) is found through the order."""
    follows = {"order_evaluated", "order_filled", "order_expired", "position_settled", "position_unsettled"}
    assert set(REQUESTED_EVENTS) == set(EventType.values) - follows
