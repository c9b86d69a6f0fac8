"""What the probes answer and what the admin warns of: each fault is made on real servers, and each sentence read."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.db import OperationalError
from django.test import Client

from marketdata import clock, gate, quote_book
from marketdata.models import MarketClock
from orders.models import Sweep
from papertrade.lib import valkey
from papertrade.operations import health
from tests.concurrency.threads import together
from tests.market_kit import MarketKit, at

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def well(open_market: MarketKit) -> MarketKit:
    """A market whose feed has just been heard of."""
    clock.beat()
    return open_market


@pytest.fixture
def no_valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "_client", redis.Redis.from_url(NOWHERE))


def silent_for(seconds: int) -> None:
    MarketClock.objects.update(heartbeat_at=clock.wall_now() - timedelta(seconds=seconds))


def test_all_is_well(well: MarketKit) -> None:
    assert health.warnings() == []
    assert health.not_ready() == []


def test_a_silent_feed(well: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.wall_now()
    monkeypatch.setattr(clock, "wall_now", lambda: now)
    silent_for(40)
    [warning] = health.warnings()
    assert warning.startswith("Quotes are stale: no feed process has moved the market for 40 s.")
    assert health.not_ready() == []


def test_no_valkey(well: MarketKit, no_valkey: None) -> None:
    assert health.warnings()[0].startswith("Valkey does not answer")
    assert health.not_ready()[0].startswith("The quote book is not filled")


def test_a_lost_quote_book(well: MarketKit) -> None:
    quote_book.clear()
    assert health.not_ready()[0].startswith("The quote book is not filled")


def test_a_market_that_was_never_started(db: None) -> None:
    MarketClock.objects.all().delete()
    assert "has not been started" in health.not_ready()[0]


def away() -> bool:
    raise OperationalError


def test_no_database(well: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "database_answers", away)
    assert health.not_ready() == ["The database does not answer."]
    assert health.warnings() == ["The database does not answer."]


# What it asks, by name as it is written there: whichever finds the database gone, there is an answer.
ASKED = [
    name for name in health.not_ready.__code__.co_names if callable(getattr(health, name, None)) and name != "well"
]


def test_a_database_that_goes_away_between_two_questions(well: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ASKED) >= 4
    for module, name in [*((health, name) for name in ASKED), (gate, "stuck_at")]:
        with monkeypatch.context() as only_now:
            only_now.setattr(module, name, away)
            assert len(health.not_ready()) == 1, name


def test_migrations_that_are_missing(well: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    monkeypatch.setattr(health, "_is_migrated", False)
    MigrationRecorder.Migration.objects.filter(app="orders").delete()
    assert "Migrations are missing" in health.not_ready()[0]


def test_a_gate_that_nobody_opens_again(committed: None, well: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that holds it and does nothing is no readiness; one that works is."""
    closed, seen = threading.Event(), threading.Event()

    def close_it() -> None:
        with gate.closed_gate():
            closed.set()
            seen.wait(60)

    def ask() -> list[list[str]]:
        closed.wait(60)
        monkeypatch.setattr(gate, "IDLE_SECONDS", 600.0)
        answers = [health.not_ready()]
        monkeypatch.setattr(gate, "IDLE_SECONDS", 0.0)
        answers.append(health.not_ready())
        seen.set()
        return answers

    _, answers = together(close_it, ask)
    assert answers[0] == []
    assert "The gate is closed by database session" in answers[1][0]
    assert health.not_ready() == []


def test_a_clock_that_stands_still(well: MarketKit) -> None:
    MarketClock.objects.update(speed=Decimal(1), anchor_wall=clock.wall_now() - timedelta(seconds=60))
    [warning] = health.warnings()
    assert "stands still" in warning


def test_a_run_that_is_late(well: MarketKit) -> None:
    run = Sweep.objects.create(kind="open", session_date="2013-10-07", round=1, at=at("13:30:00"), quotes=[])
    assert health.warnings() == []  # it has only begun
    Sweep.objects.update(created_at=clock.wall_now() - timedelta(minutes=5))
    assert f"The {run} is late" in health.warnings()[0]


def test_the_admin_shows_them(well: MarketKit, admin_client: Client) -> None:
    assert b"Quotes are stale" not in admin_client.get("/admin/").content
    silent_for(40)
    assert b"Quotes are stale" in admin_client.get("/admin/").content
