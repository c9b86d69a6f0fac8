"""Requests of strangers cost nothing and are limited by address; who has shown a good key or session is no stranger."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.templatetags.static import static
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiKey
from accounts.services import revoke_key
from papertrade.lib import strangers
from tests.factories import TokenFactory, UserFactory

LIMIT = 5
HERE, ELSEWHERE = "203.0.113.9", "198.51.100.7"
LISTING = "/v1/paper/accounts/"


@pytest.fixture(autouse=True)
def limited(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few, and within one minute whatever the clock says."""
    settings.PAPERTRADE_STRANGER_LIMIT_MINUTE = LIMIT
    monkeypatch.setattr(strangers, "wall_seconds", lambda: 1_000_000)
    monkeypatch.setattr(strangers, "door", strangers.Door())


@pytest.fixture
def key(db: None) -> Iterator[dict[str, str]]:
    return {"Authorization": f"Bearer {TokenFactory()}"}


def ask(client: Client, path: str = LISTING, address: str = HERE, **headers: str) -> int:
    """The status of the answer."""
    return client.get(path, headers=headers, REMOTE_ADDR=address).status_code


def flood() -> None:
    """A stranger uses up what the address has."""
    assert [ask(Client()) for _ in range(LIMIT + 1)][-1] == 429


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"Authorization": "Bearer cm_wrong"},
        {"APCA-API-KEY-ID": "a", "APCA-API-SECRET-KEY": "b"},
        {"Cookie": "sessionid=x"},
    ],
    ids=["none", "a wrong key", "a wrong pair", "a wrong session"],
)
def test_a_flood_is_refused_without_a_look_up(db: None, credentials: dict[str, str]) -> None:
    client = Client()
    assert {ask(client, **credentials) for _ in range(LIMIT)} == {401}
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(LISTING, headers=credentials, REMOTE_ADDR=HERE)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(queries) == 0
    assert ask(client, address=ELSEWHERE, **credentials) == 401


def test_a_good_key_is_never_counted_again(key: dict[str, str]) -> None:
    client = Client()
    assert ask(client, **key) == 200
    flood()
    assert {ask(client, **key) for _ in range(2 * LIMIT)} == {200}


def test_nor_is_a_good_session(db: None) -> None:
    client = Client()
    client.force_login(UserFactory())
    assert ask(client, "/keys/") == 200
    flood()
    assert {ask(client, "/keys/") for _ in range(2 * LIMIT)} == {200}


def test_a_key_that_was_revoked_is_a_stranger_again(key: dict[str, str]) -> None:
    client = Client()
    assert ask(client, **key) == 200
    (row,) = ApiKey.objects.all()
    revoke_key(user=row.user, key_id=str(row.pk))
    assert ask(client, **key) == 401
    flood()
    assert ask(client, **key) == 429


def test_many_keys_are_counted_together(db: None) -> None:
    client = Client()
    answers = [ask(client, Authorization=f"Bearer cm_{number}") for number in range(LIMIT + 1)]
    assert answers == [401] * LIMIT + [429]


def test_files_are_always_sent_and_one_that_is_not_there_looks_nobody_up(db: None) -> None:
    flood()
    assert ask(Client(), static("dashboard/icon.svg")) == 200
    with CaptureQueriesContext(connection) as queries:
        assert ask(Client(), f"{settings.STATIC_URL}nothing", Cookie="sessionid=x") == 404
    assert len(queries) == 0


def test_more_addresses_than_are_counted_share_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "MOST_ADDRESSES", 2)
    counts = strangers.Counts()
    assert [counts.another(address) for address in ("a", "b", "c", "d", "a")] == [1, 1, 1, 2, 2]


def test_what_was_known_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "MOST_KNOWN", 2)
    known = strangers.Known()
    for digest in (b"1", b"2", b"3"):
        known.add(digest)
    assert [digest in known for digest in (b"1", b"2", b"3")] == [False, True, True]
    monkeypatch.setattr(strangers, "KNOWN_SECONDS", -1.0)
    known.add(b"3")
    assert b"3" not in known
