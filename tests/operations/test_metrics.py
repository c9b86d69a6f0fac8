"""What /metrics says and to whom: every figure is caused by a real request, order or fault and then read off the scrape."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from marketdata import clock
from marketdata.models import MarketClock
from orders.models import Sweep
from papertrade.lib import metrics, valkey
from papertrade.lib.valkey import client
from portfolio.audit import Difference
from portfolio.services import keep_audit_report
from tests.api_kit import Api
from tests.factories import UserFactory
from tests.market_kit import MarketKit, at

TOKEN = "a-token-for-metrics-only-in-tests"


@pytest.fixture
def scrape(settings: Any) -> Callable[[], dict[tuple[str, frozenset], float]]:
    """Reads /metrics with the token; every sample by name and labels."""
    settings.PAPERTRADE_METRICS_TOKEN = TOKEN

    def read() -> dict[tuple[str, frozenset], float]:
        response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200
        families = text_string_to_metric_families(response.content.decode())
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    return read


def figure(samples: dict[tuple[str, frozenset], float], name: str, **labels: str) -> float:
    """One sample's value, 0 where there is none."""
    return samples.get((f"papertrade_{name}", frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_route_and_never_by_path(
    api: Api, open_market: MarketKit, scrape: Callable[[], Any]
) -> None:
    route = "v1/paper/accounts/<str:account_id>/"
    before = scrape()
    account_id = api.open_account()
    assert api.get(f"{account_id}/").status_code == 200
    assert api.get("/nowhere/cm_a_secret_in_a_path").status_code == 404
    api.request("MADEUP", "/v1/status/")
    after = scrape()

    def grown(name: str, **labels: str) -> float:
        return figure(after, name, **labels) - figure(before, name, **labels)

    assert grown("requests_total", route=route, method="GET", status="200") == 1
    assert grown("request_seconds_count", route=route, method="GET") == 1
    assert grown("requests_total", route=metrics.NO_ROUTE, method="GET", status="404") == 1
    assert grown("requests_total", route="v1/status/", method="other", status="405") == 1
    assert not any("cm_a_secret" in str(labels) or account_id in str(labels) for _, labels in after)


def test_orders_are_counted_by_outcome_and_reason_when_committed(
    committed: None, api: Api, open_market: MarketKit, scrape: Callable[[], Any]
) -> None:
    account_id = api.open_account()
    before = scrape()
    api.buy(account_id)
    api.order(account_id, qty="1000000")
    api.order(account_id, symbol="nonsense")
    api.post(
        f"{account_id}/orders/preview/",
        {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    )
    after = scrape()

    def grown(**labels: str) -> float:
        return figure(after, "orders_total", **labels) - figure(before, "orders_total", **labels)

    assert grown(status="filled", reason="") == 1
    assert grown(status="rejected", reason="insufficient_buying_power") == 1
    for part in ("lock", "decide", "commit"):
        name = "unit_seconds_count"
        assert figure(after, name, part=part) - figure(before, name, part=part) == 3  # the third has no lock to take


def test_an_order_that_is_rolled_back_is_not_counted(desk: Any, scrape: Callable[[], Any]) -> None:
    before = scrape()
    desk.buy()  # the fixture's transaction never commits
    labels = {"status": "filled", "reason": ""}
    assert figure(scrape(), "orders_total", **labels) == figure(before, "orders_total", **labels)


def test_states(open_market: MarketKit, scrape: Callable[[], Any]) -> None:
    MarketClock.objects.update(heartbeat_at=clock.wall_now() - timedelta(seconds=90))
    run = Sweep.objects.create(kind="open", session_date="2013-10-07", round=1, at=at("13:30:00"), quotes=[])
    for number, done_at in enumerate([clock.wall_now(), None, None]):
        run.chunks.create(number=number, first_book_id=1, last_book_id=2, orders=5, done_at=done_at)
    feed = MarketClock.objects.get().feed
    samples = scrape()
    assert figure(samples, "up", part="database") == figure(samples, "up", part="valkey") == 1
    assert figure(samples, "up", part="feed") == 0
    assert 90 <= figure(samples, "feed_silent_seconds", feed=feed) < 150
    assert figure(samples, "run_chunks", kind="open", state="waiting") == 2
    assert figure(samples, "run_chunks", kind="open", state="done") == 1


def test_sign_ins_are_counted(db: None, scrape: Callable[[], Any]) -> None:
    UserFactory(username="walter", password="correct horse battery")
    before = scrape()
    for password in ("wrong", "correct horse battery"):
        Client().post("/login/", {"username": "walter", "password": password}, REMOTE_ADDR="192.0.2.77")
    after = scrape()
    for outcome in ("failed", "succeeded"):
        name = "sign_ins_total"
        assert figure(after, name, outcome=outcome) - figure(before, name, outcome=outcome) == 1


def test_the_last_audit_of_all_books(desk: Any, scrape: Callable[[], Any]) -> None:
    assert not any(name.startswith("papertrade_audit") for name, _ in scrape())
    started_at = clock.wall_now() - timedelta(hours=30)
    keep_audit_report(
        scope="", by="a test", started_at=started_at, books=1, differences=[Difference("book 1", "wrong")]
    )
    keep_audit_report(scope="book 1", by="a test", started_at=started_at, books=1, differences=[])
    samples = scrape()
    assert figure(samples, "audit_differences") == 1
    assert 0 <= figure(samples, "audit_age_seconds") < 60


def test_quote_age_is_of_the_newest_mark(desk: Any, scrape: Callable[[], Any], open_market: MarketKit) -> None:
    desk.buy()
    open_market.advance("14:00:25")  # quotes come every ten seconds
    assert figure(scrape(), "quote_age_seconds", feed="test") == 5


def test_the_queue(open_market: MarketKit, scrape: Callable[[], Any]) -> None:
    client().delete("celery")
    try:
        client().rpush("celery", "a task", "another")
        assert figure(scrape(), "queue_tasks") == 2
    finally:
        client().delete("celery")


def test_without_valkey_the_rest_is_there(
    open_market: MarketKit, scrape: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey, "_client", redis.Redis.from_url("redis://127.0.0.1:1/0"))
    samples = scrape()
    assert (figure(samples, "up", part="valkey"), figure(samples, "up", part="database")) == (0, 1)
    assert ("papertrade_queue_tasks", frozenset()) not in samples


def test_another_process_is_in_the_same_scrape(open_market: MarketKit, scrape: Callable[[], Any]) -> None:
    before = figure(scrape(), "orders_total", status="elsewhere", reason="")
    code = (
        "import django; django.setup()\nfrom papertrade.lib import metrics\nmetrics.count_orders([('elsewhere', '')])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=metrics.settings.BASE_DIR)
    assert figure(scrape(), "orders_total", status="elsewhere", reason="") == before + 1


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}é"])
@pytest.mark.parametrize("configured", [TOKEN, ""])
def test_strangers_read_nothing(db: None, settings: Any, header: str, configured: str) -> None:
    settings.PAPERTRADE_METRICS_TOKEN = configured
    response = Client().get("/metrics", headers={"Authorization": header}, REMOTE_ADDR="127.0.0.1")
    assert response.status_code == 401
    assert b"papertrade_" not in response.content


@pytest.mark.parametrize(("staff", "status"), [(True, 200), (False, 401)])
def test_signed_in_staff_reads_them_and_a_trader_does_not(db: None, staff: bool, status: int) -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=staff))
    assert client.get("/metrics").status_code == status
