"""The events of an account as server-sent events: everything that the list has, once and in order, whoever is cut off."""

import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from accounts.models import ApiKey
from accounts.services import revoke_key
from papertrade.stream import following
from portfolio.models import AccountEvent
from tests.factories import TokenFactory, UserFactory
from tests.stream.conftest import Streamed

EVENTS = {"Accept": "text/event-stream"}


def address(streamed: Streamed) -> str:
    return f"http://{streamed.host}/v1/paper/accounts/{streamed.key_id}/events/"


def messages(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """What a browser's EventSource makes of the lines."""
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in found:
                yield {**found, "data": json.loads(found["data"])}
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value


class Reader:
    """A client that goes on where it was cut off, as EventSource does."""

    def __init__(self, streamed: Streamed, **headers: str) -> None:
        self.url = address(streamed)
        self.headers = {**EVENTS, "Authorization": f"Bearer {streamed.secret}", **headers}

    def read(self, count: int, **query: str) -> list[dict[str, Any]]:
        """So many messages, then the connection is cut."""
        with httpx.stream("GET", self.url, headers=self.headers, params=query, timeout=15) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"] == "text/event-stream"
            found = []
            for message in messages(answer.iter_lines()):
                found.append(message)
                self.headers["Last-Event-ID"] = message["id"]
                if len(found) == count:
                    break
            return found


def listed(streamed: Streamed) -> list[dict[str, Any]]:
    answer = httpx.get(address(streamed), headers={"Authorization": f"Bearer {streamed.secret}"}, timeout=15)
    return answer.json()["results"]


def test_it_sends_what_the_list_has_from_a_number_on(streamed: Streamed) -> None:
    streamed.desk.buy("10")
    streamed.desk.buy("5", limit="90")
    expected = listed(streamed)
    found = Reader(streamed).read(len(expected), after_seq="0")
    assert [message["data"] for message in found] == expected
    assert [int(message["id"]) for message in found] == list(range(1, len(expected) + 1))
    assert {message["event"] for message in found} == {row["type"] for row in expected}


def test_without_a_number_it_begins_now(streamed: Streamed) -> None:
    streamed.desk.buy("10")
    with httpx.stream("GET", address(streamed), headers=Reader(streamed).headers, timeout=15) as answer:
        lines = answer.iter_lines()
        assert next(lines) == f": from {AccountEvent.objects.filter(account=streamed.account).count()}"
        order = streamed.desk.buy("1")
        message = next(messages(lines))
    assert message["data"]["order_id"] == str(order.pk)


def test_two_clients_one_cut_at_random_both_see_everything_once_in_order(streamed: Streamed) -> None:
    calm, shaken = Reader(streamed), Reader(streamed)
    dice, sent = random.Random(7), threading.Event()

    def trade() -> None:
        for number in range(12):
            order = streamed.desk.buy("1", limit="90" if number % 3 else None)
            if order.is_open:
                streamed.desk.cancel(order)
        sent.set()

    total = 1 + sum(2 if number % 3 == 0 else 3 for number in range(12))
    seen: list[dict[str, Any]] = []

    def read_in_pieces() -> None:
        while len(seen) < total:
            seen.extend(shaken.read(min(dice.randint(1, 5), total - len(seen)), **({} if seen else {"after_seq": "0"})))

    reading = threading.Thread(target=read_in_pieces)
    reading.start()
    trade()
    whole = calm.read(total, after_seq="0")
    reading.join(20)
    assert sent.is_set()
    assert [m["data"] for m in seen] == [m["data"] for m in whole] == listed(streamed)[:total]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "unauthorized"),
        ({"Authorization": "Bearer cm_nobody"}, 401, "unauthorized"),
        ({"Authorization": "Basic eDp5"}, 401, "unauthorized"),
        ({"Last-Event-ID": "x"}, 400, "bad_request"),
    ],
)
def test_what_cannot_be_streamed_is_refused_as_the_api_refuses(
    streamed: Streamed, headers: dict[str, str], status: int, code: str
) -> None:
    given = {**EVENTS, **({"Authorization": f"Bearer {streamed.secret}"} if code == "bad_request" else {}), **headers}
    answer = httpx.get(address(streamed), headers=given, timeout=15)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_somebody_elses_account_is_not_there(streamed: Streamed) -> None:
    stranger = {**EVENTS, "Authorization": f"Bearer {TokenFactory(user=UserFactory())}"}
    assert httpx.get(address(streamed), headers=stranger, timeout=15).status_code == 404


def test_a_revoked_key_is_cut_off(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "CHECK_SECONDS", 0.2)
    with httpx.stream("GET", address(streamed), headers=Reader(streamed).headers, timeout=15) as answer:
        lines = answer.iter_lines()
        next(lines)
        [key] = ApiKey.objects.filter(user=streamed.account.user)
        revoke_key(user=streamed.account.user, key_id=key.pk)
        assert list(messages(lines)) == [], "the stream has ended"
