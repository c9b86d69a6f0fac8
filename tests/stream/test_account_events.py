"""The events of an account as server-sent events: everything that the list has, once and in order, whoever is cut off."""

import json
import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from accounts.models import ApiKey
from accounts.services import revoke_key
from papertrade.stream import following
from portfolio.models import AccountEvent
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import STOCK, MarketKit
from tests.stream.conftest import Streamed

EXPIRING = "O:IBM131011C00090000"  # a Friday's
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
        self.read_so_far = 0

    def read(self, count: int, last: Sequence[int] = (), **query: str) -> list[dict[str, Any]]:
        """So many messages, or those up to the last that there will be, then the connection is cut."""
        with httpx.stream("GET", self.url, headers=self.headers, params=query, timeout=60) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"] == "text/event-stream"
            found = []
            for message in messages(answer.iter_lines()):
                found.append(message)
                self.read_so_far += 1
                self.headers["Last-Event-ID"] = message["id"]
                if len(found) == count or (last and self.read_so_far == last[0]):
                    break
            return found


def listed(streamed: Streamed) -> list[dict[str, Any]]:
    answer = httpx.get(address(streamed), headers={"Authorization": f"Bearer {streamed.secret}"}, timeout=60)
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
    with httpx.stream("GET", address(streamed), headers=Reader(streamed).headers, timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines) == f": from {AccountEvent.objects.filter(account=streamed.account).count()}"
        order = streamed.desk.buy("1")
        message = next(messages(lines))
    assert message["data"]["order_id"] == str(order.pk)


def test_a_week_to_two_clients_one_cut_at_random_both_see_everything_once_in_order(
    streamed: Streamed, market_kit: MarketKit
) -> None:
    days = [f"2013-10-{day:02d}" for day in range(7, 12)]
    times = ["13:31:00", "15:00:00", "17:00:00", "19:59:00"]
    market_kit.play(
        *(
            f"{day}T{time} {STOCK} {100 + number}.00 {100 + number}.10"
            for number, day in enumerate(days)
            for time in times
        ),
        *(f"{day}T{time} {EXPIRING} 4.00 4.20 20 10" for day in days for time in times),
        start=f"{days[0]}T13:00:00",
    )
    streamed.desk.reset(initial_cash="100000")
    begin = AccountEvent.objects.filter(account=streamed.account).count()
    calm, shaken, dice = Reader(streamed), Reader(streamed), random.Random(7)
    seen: list[dict[str, Any]] = []
    last: list[int] = []

    def read_in_pieces() -> None:
        while not last or len(seen) < last[0]:
            seen.extend(shaken.read(dice.randint(1, 5), last, **({} if seen else {"after_seq": str(begin)})))

    reading = threading.Thread(target=read_in_pieces)
    reading.start()
    streamed.desk.buy("1", symbol=EXPIRING)  # settled on Friday
    for number, day in enumerate(days):
        streamed.desk.buy("2")
        rests = streamed.desk.buy("1", limit="90", time_in_force="gtc")
        streamed.desk.buy("1", limit="50")  # ends with the day
        market_kit.advance(f"{day}T14:00:00Z")
        if number % 2:
            streamed.desk.sell("1")
            streamed.desk.cancel(rests)
        market_kit.advance(f"{day}T21:00:00Z")
    ends = streamed.desk.buy("1", limit="60", time_in_force="gtc")
    last.append(AccountEvent.objects.filter(account=streamed.account).count() - begin + 1)
    streamed.desk.cancel(ends)
    whole = calm.read(last[0], after_seq=str(begin))
    reading.join(120)
    assert [m["data"] for m in seen] == [m["data"] for m in whole] == listed(streamed)[begin : begin + last[0]]
    assert {"order_filled", "order_expired", "order_canceled", "position_settled"} <= {m["event"] for m in whole}


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
    answer = httpx.get(address(streamed), headers=given, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_somebody_elses_account_is_not_there(streamed: Streamed) -> None:
    stranger = {**EVENTS, "Authorization": f"Bearer {TokenFactory(user=UserFactory())}", "X-Request-ID": "mine-8"}
    answer = httpx.get(address(streamed), headers=stranger, timeout=60)
    assert answer.status_code == 404
    assert answer.headers.get_list("x-request-id") == ["mine-8"] and answer.json()["request_id"] == "mine-8"


def test_a_revoked_key_is_cut_off(streamed: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "CHECK_SECONDS", 0.2)
    with httpx.stream("GET", address(streamed), headers=Reader(streamed).headers, timeout=60) as answer:
        lines = answer.iter_lines()
        next(lines)
        [key] = ApiKey.objects.filter(user=streamed.account.user)
        revoke_key(user=streamed.account.user, key_id=key.pk)
        assert list(messages(lines)) == [], "the stream has ended"
