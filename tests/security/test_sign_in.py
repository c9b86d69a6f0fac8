"""Guessing passwords: the same lock on both doors, for every web process, and never for anybody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.test import Client, RequestFactory

from papertrade.dashboard.security import FAILURES_PER_NAME, NAMES_PER_ADDRESS, SignInThrottle
from papertrade.lib import valkey
from papertrade.lib.valkey import client
from tests.factories import UserFactory

PASSWORD = "correct horse battery"
DOORS = ["/login/", "/admin/login/"]
MALLORY, WALTER = "203.0.113.9", "198.51.100.7"


@pytest.fixture(autouse=True)
def no_attempts() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    for name in client().scan_iter("papertrade:signin:*"):
        client().delete(name)


@pytest.fixture
def walter(db: None) -> Any:
    return UserFactory(username="walter", password=PASSWORD, is_staff=True)


def enter(door: str, password: str, address: str = WALTER, name: str = "walter", **headers: str) -> bool:
    """Whether a sign-in from that address succeeds."""
    client = Client()
    client.post(door, {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers)
    return "sessionid" in client.cookies


@pytest.mark.parametrize("door", DOORS)
def test_after_too_many_failures_the_right_password_is_refused_too(walter: Any, door: str) -> None:
    assert enter(door, PASSWORD)
    for _ in range(FAILURES_PER_NAME):
        assert not enter(door, "wrong")
    assert not enter(door, PASSWORD)


def test_the_doors_share_one_count(walter: Any) -> None:
    for number in range(FAILURES_PER_NAME):
        assert not enter(DOORS[number % 2], "wrong")
    assert not any(enter(door, PASSWORD) for door in DOORS)


@pytest.mark.parametrize("door", DOORS)
def test_a_stranger_locks_out_only_themselves(walter: Any, door: str) -> None:
    for _ in range(FAILURES_PER_NAME + 1):
        enter(door, "wrong", MALLORY)
    assert not enter(door, PASSWORD, MALLORY)
    assert enter(door, PASSWORD, WALTER)


def test_a_stranger_behind_the_same_proxy_too(walter: Any, settings: Any) -> None:
    settings.PAPERTRADE_TRUSTED_PROXIES = 1
    for attempt in range(FAILURES_PER_NAME + 1):  # with a forged first hop each time
        enter(DOORS[0], "wrong", "127.0.0.1", **{"X-Forwarded-For": f"{WALTER}, 10.0.0.{attempt}, {MALLORY}"})
    assert not enter(DOORS[0], PASSWORD, "127.0.0.1", **{"X-Forwarded-For": MALLORY})
    assert enter(DOORS[0], PASSWORD, "127.0.0.1", **{"X-Forwarded-For": WALTER})


def try_names(count: int, address: str) -> None:
    """One try of each of so many names."""
    for number in range(count):
        SignInThrottle(RequestFactory().get("/", REMOTE_ADDR=address), f"name{number}").allows_another()


def test_one_address_may_not_try_many_names(walter: Any) -> None:
    try_names(NAMES_PER_ADDRESS, MALLORY)
    assert not enter(DOORS[0], PASSWORD, MALLORY)


def test_who_has_signed_in_from_there_before_is_not_locked_out_by_that(walter: Any) -> None:
    assert enter(DOORS[0], PASSWORD, MALLORY)
    try_names(2 * NAMES_PER_ADDRESS, MALLORY)
    assert enter(DOORS[1], PASSWORD, MALLORY)


def test_guessing_one_name_never_locks_another_out(walter: Any) -> None:
    for _ in range(2 * NAMES_PER_ADDRESS):
        SignInThrottle(RequestFactory().get("/", REMOTE_ADDR=MALLORY), "admin").allows_another()
    assert enter(DOORS[0], PASSWORD, MALLORY)


def test_a_success_is_no_failure(walter: Any) -> None:
    for _ in range(3):
        for _ in range(FAILURES_PER_NAME - 1):
            assert not enter(DOORS[0], "wrong")
        assert enter(DOORS[0], PASSWORD)


def test_many_at_once_get_no_more_tries_than_one_after_another() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=MALLORY)
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda _: SignInThrottle(request, "walter").allows_another(), range(40)))
    assert passed == FAILURES_PER_NAME


def test_without_valkey_people_can_sign_in(walter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(valkey, "_client", redis.Redis.from_url("redis://127.0.0.1:1/0"))
        assert enter(DOORS[0], PASSWORD)
