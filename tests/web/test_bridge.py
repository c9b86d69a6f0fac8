"""What Django is given, and what becomes of its answers."""

import asyncio
import dataclasses
import http.client
import importlib
import inspect
import json
import os
import pkgutil
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.urls import URLResolver, get_resolver

from papertrade import reports
from papertrade.lib import strangers
from papertrade.lib.spreadsheets import csv_response
from papertrade.web import lanes, limits
from papertrade.web.bridge import is_export, is_report
from papertrade.web.connections import Connection
from papertrade.web.lanes import Lane, Rush
from papertrade.web.probes import NO_ANSWER
from papertrade.web.refusals import BUSY
from portfolio.audit import verify_ledger
from tests.web.conftest import LARGE, THREADS, Front
from tests.web.test_connections import POST, ask, read_to_end, until


def exchange(front: Front, text: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to a request that is written by hand, on a connection that then ends."""
    connection = front.connect(text)
    head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
    connection.close()
    return head, body


def test_a_chunked_body_is_read(front: Front) -> None:
    text = POST + b'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\n{"qt\r\n7\r\ny":"1"}\r\n0\r\n\r\n'
    _, body = exchange(front, text)
    assert json.loads(body)["body"] == '{"qty":"1"}'
    (seen,) = front.seen
    assert seen["CONTENT_LENGTH"] == "11"
    assert "HTTP_TRANSFER_ENCODING" not in seen


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: %d\r\n\r\n" % (limits.MAX_BODY_BYTES + 1), b"Transfer-Encoding: chunked\r\n\r\n"],
    ids=["declared", "chunked"],
)
def test_a_body_that_is_too_large_ends_before_the_application(front: Front, head: bytes) -> None:
    piece = b"x" * 10_000
    connection = front.connect(POST.replace(b"/echo", b"/v1/echo") + b"X-Request-ID: mine-7\r\n" + head)
    try:
        for _ in range(limits.MAX_BODY_BYTES // len(piece) + (b"chunked" in head)):
            connection.sendall(piece if b"Length" in head else b"2710\r\n" + piece + b"\r\n")
    except OSError:
        pass
    told = read_to_end(connection)
    assert told.startswith(b"HTTP/1.1 413")
    body = json.loads(told.partition(b"\r\n\r\n")[2])
    assert (body["error"]["code"], body["request_id"]) == ("payload_too_large", "mine-7")
    assert b"x-request-id: mine-7\r\n" in told
    assert front.seen == []


def test_what_a_refused_client_goes_on_sending_is_not_read(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 10.0)
    connection = front.connect(
        POST + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n\r\n"
    )
    assert connection.recv(100).startswith(b"HTTP/1.1 415")
    connection.settimeout(0.3)
    with pytest.raises(TimeoutError):  # the system's buffers are full, and ours take none of it
        connection.sendall(b"x" * 64_000_000)


def test_headers_reach_django_as_they_should(front: Front) -> None:
    exchange(
        front,
        b"GET /a%20b/%C3%A9?q=%20 HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: close\r\n\r\n",
    )
    (seen,) = front.seen
    assert seen["PATH_INFO"] == "/a b/\u00c3\u00a9"  # UTF-8 read as latin-1, as WSGI wants it
    assert seen["QUERY_STRING"] == "q=%20"
    assert seen["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"
    assert seen["HTTP_COOKIE"] == "a=1; b=2"
    assert seen["HTTP_X_TWICE"] == "1,2"
    assert "HTTP_CONNECTION" not in seen
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


def test_more_requests_than_threads_wait_and_more_than_that_are_told_so(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front.bridge._trading, "_most", THREADS + 1)
    answers: list[tuple[int, bytes]] = []
    asking = [threading.Thread(target=lambda: answers.append(ask(front, "/wait"))) for _ in range(THREADS + 2)]
    for thread in asking:
        thread.start()
    until(lambda: answers)
    assert ask(front, "/healthz") == (200, b'{"status": "ok"}'), "health takes no thread"
    assert ask(front, "/readyz")[0] == 200, "readiness has one of its own"
    assert ask(front, f"{settings.STATIC_URL}style.css")[0] == 200, "files have one, too"
    front.release.set()
    for thread in asking:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] * (THREADS + 1) + [503]


def test_readiness_is_one_answer_for_all_and_never_late(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READY_SECONDS", 0.3)
    asked: list[float] = []

    def hang() -> list[str]:
        asked.append(time.monotonic())
        front.release.wait(60)
        return ["Nothing is there."]

    front.not_ready = hang
    answers: list[tuple[int, bytes]] = []
    asking = [threading.Thread(target=lambda: answers.append(ask(front, "/readyz"))) for _ in range(8)]
    for thread in asking:
        thread.start()
    assert ask(front, "/healthz")[0] == 200
    for thread in asking:
        thread.join(60)
    assert {(status, json.loads(body)["reasons"][0]) for status, body in answers} == {(503, NO_ANSWER)}
    assert len(answers) == 8 and len(asked) == 1
    front.release.set()
    monkeypatch.setattr(limits, "READY_KEPT_SECONDS", 60.0)
    until(lambda: json.loads(ask(front, "/readyz")[1])["reasons"] == ["Nothing is there."])
    assert len(asked) == 1
    front.not_ready = list
    assert ask(front, "/readyz")[0] == 503, "for a moment"
    monkeypatch.setattr(limits, "READY_KEPT_SECONDS", 0.0)
    assert json.loads(ask(front, "/readyz")[1]) == {"status": "ok", "reasons": []}


def test_who_asks_for_readiness_without_end_is_answered_late(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the truth, and on connections that make room."""
    monkeypatch.setattr(limits, "READY_OF_ONE", 0)
    monkeypatch.setattr(limits, "HOLD_SECONDS", 0.5)
    held: list[str] = []
    monkeypatch.setattr(Connection, "be_refused", lambda self: held.append("of a place"))
    began = time.monotonic()
    assert ask(front, "/readyz") == (200, b'{"status": "ok", "reasons": []}')
    assert time.monotonic() - began >= 0.5 and held == ["of a place"]
    readiness = front.bridge._readiness
    monkeypatch.setattr(limits, "READY_OF_ONE", 2)

    async def asked() -> list[bool]:
        clock = iter([7.0, 7.3, 7.6, 7.9, 8.0])
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(asyncio.get_running_loop(), "time", lambda: next(clock))
            return [readiness.is_asked_too_often(place) for place in ("a", "a", "b", "a", "a")]

    assert asyncio.run(asked()) == [False, False, False, True, False]


def test_reports_wait_for_each_other_and_nobody_for_them(front: Front) -> None:
    def report(key: str) -> tuple[int, bytes]:
        return exchange(
            front, f"GET /compare/ HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nConnection: close\r\n\r\n".encode()
        )

    for key in ("mine", "theirs"):
        strangers.door.remember(strangers.digest_of(key), good=True)
    told: list[tuple[str, bytes]] = []
    asking = [
        threading.Thread(target=lambda key=key: told.append((key, report(key)[0])))
        for key in ["mine"] * (limits.MAX_REPORTS_OF_ONE + 1)
    ]
    for thread in asking:
        thread.start()
    until(lambda: told)
    [(_, refused)] = told
    assert b" 429 " in refused and b"retry-after: 1" in refused
    until(lambda: front.seen)
    assert len(front.seen) == limits.REPORT_THREADS, "the others wait for a thread of theirs"
    assert ask(front)[0] == 200
    other = threading.Thread(target=lambda: told.append(("theirs", report("theirs")[0])))
    other.start()
    time.sleep(0.1)
    front.release.set()
    for thread in (*asking, other):
        thread.join(30)
    assert sorted(head[9:12] for _, head in told) == [b"200"] * (limits.MAX_REPORTS_OF_ONE + 1) + [b"429"]


def test_reports_whose_askers_have_gone_are_not_made(front: Front) -> None:
    """Who asks again and again is not refused for what he gave up, and nobody else waits for that; what runs still counts."""
    reports = front.bridge._reports
    asked = b"GET /compare/ HTTP/1.1\r\nHost: x\r\nX-Request-ID: %s\r\nConnection: close\r\n\r\n"
    for _ in range(3):
        given_up = [front.connect(asked % b"gone") for _ in range(limits.MAX_REPORTS_OF_ONE)]
        until(lambda: reports.under_way == limits.MAX_REPORTS_OF_ONE)
        until(lambda: front.seen)
        for connection in given_up:
            connection.close()
        # One is being made, and one lies ready for its thread.
        until(lambda: reports.under_way <= limits.REPORT_THREADS + 1)
    waiting = front.connect(asked % b"here")
    until(lambda: reports.under_way == limits.REPORT_THREADS + 2)
    front.release.set()
    assert read_to_end(waiting).startswith(b"HTTP/1.1 200")
    assert [seen["HTTP_X_REQUEST_ID"] for seen in front.seen] == ["gone", "here"]
    until(lambda: (reports._free, reports._taken, reports._waiting) == (limits.REPORT_THREADS + 1, {}, {}))


def test_who_asks_too_often_is_told_so_when_he_may_ask_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so much later, and in a place that he may lose; who is told that the server is busy is told at once."""
    monkeypatch.setattr(limits, "HOLD_SECONDS", 0.5)
    monkeypatch.setattr(front.bridge._trading, "_most_of_one", 0)
    held: list[str] = []
    monkeypatch.setattr(Connection, "be_refused", lambda self: held.append("of a place"))
    began = time.monotonic()
    assert ask(front)[0] == 429
    assert time.monotonic() - began >= 0.5 and held == ["of a place"]
    monkeypatch.setattr(limits, "HOLD_SECONDS", 60.0)
    assert front.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").recv(100).startswith(b"HTTP/1.1 429"), "after its second"
    monkeypatch.setattr(front.bridge._trading, "_most", 0)
    monkeypatch.setattr(lanes, "BUSY", dataclasses.replace(BUSY, retry_after_seconds=60))
    assert ask(front)[0] == 503


def test_strangers_of_a_crowded_address_take_no_thread_any_more(
    front: Front, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Who was let in lately is asked in, and files are everybody's."""
    settings.PAPERTRADE_STRANGER_LIMIT_MINUTE = 5
    monkeypatch.setattr(strangers, "wall_seconds", lambda: 1_000_000)
    monkeypatch.setattr(strangers.door, "counts", strangers.Counts())
    monkeypatch.setattr(strangers.door, "known", strangers.Known())
    strangers.door.remember(strangers.digest_of("mine"), good=True)
    ways = {
        b"GET /v1/a HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nConnection: close\r\n\r\n" % key: status
        for key, status in ((b"mine", b"200"), (b"other", b"429"))
    }
    for turn in range(6):
        assert strangers.door.turns_away(b"whoever", "127.0.0.1") is (turn >= 5)
        reached = len(front.seen)
        answers = {way: exchange(front, way) for way in ways} if turn in (4, 5) else {}
        for way, (head, body) in answers.items():
            assert head[9:12] == (ways[way] if turn == 5 else b"200")
            assert b" 200 " in head or (b"retry-after: " in head and json.loads(body)["error"]["code"])
        assert len(front.seen) - reached == {4: 2, 5: 1}.get(turn, 0)
    assert ask(front, f"{settings.STATIC_URL}style.css")[0] == 200


def test_many_strangers_of_an_address_give_way_one_at_a_time(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """To each other, too; who was let in lately is none of them."""
    monkeypatch.setattr(strangers, "wall_seconds", lambda: 1_000_000)
    monkeypatch.setattr(limits, "STRANGERS_A_MINUTE", 1)
    strangers.door.remember(strangers.digest_of("mine"), good=True)
    waits = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    asked = [front.connect(waits)]
    until(lambda: len(front.seen) == 1)
    asked += [front.connect(waits) for _ in range(2)]
    until(lambda: front.bridge._newcomers.under_way == 2)
    until(lambda: len(front.seen) == 2)
    head, _ = exchange(front, b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: mine\r\nConnection: close\r\n\r\n")
    assert head[9:12] == b"200", "on the other thread of the lane"
    assert [seen["PATH_INFO"] for seen in front.seen] == ["/wait", "/wait", "/"], "and the third waits"
    front.release.set()
    assert {read_to_end(connection)[9:12] for connection in asked} == {b"200"}


def test_exports_of_one_session_are_made_one_by_one_and_those_too_many_not_even_begun(front: Front) -> None:
    told: list[bytes] = []
    text = b"GET /accounts/1/waits.csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    asking = [
        threading.Thread(target=lambda: told.append(exchange(front, text)[0][9:12]))
        for _ in range(limits.MAX_EXPORTS_OF_ONE + 1)
    ]
    for thread in asking:
        thread.start()
    until(lambda: told and front.seen)
    assert (told, len(front.seen)) == ([b"429"], limits.EXPORT_THREADS)
    assert ask(front)[0] == 200
    front.release.set()
    for thread in asking:
        thread.join(30)
    assert sorted(told) == [b"200"] * limits.MAX_EXPORTS_OF_ONE + [b"429"]


def test_an_export_whose_asker_has_gone_ends(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    django = front.bridge._django
    monkeypatch.setattr(front.bridge, "_django", lambda *request: made.append(django(*request)) or made[-1])
    asker = front.connect(b"GET /accounts/1/endless.csv HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: made)
    asker.close()
    until(lambda: [answer.closed for answer in made] == [True])
    until(lambda: not list(front.spool_folder.iterdir()))


def test_a_lane_that_gives_way_begins_in_a_pause_of_those_that_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GIVE_WAY_SECONDS", 60.0)
    first, patient = Lane("first", 1, 10, goes_first=True), Lane("patient", 1, 10, gives_way=True)
    done, release = list[str](), threading.Event()

    def ordered() -> None:
        release.wait(30)
        done.append("order")

    async def both() -> None:
        order = asyncio.ensure_future(first.run(ordered))
        await asyncio.sleep(0)
        look_up = asyncio.ensure_future(patient.run(done.append, "look-up"))
        given_up = asyncio.ensure_future(patient.run(done.append, "given up"))
        await asyncio.sleep(0.1)
        assert done == []
        given_up.cancel()
        release.set()
        await asyncio.gather(order, look_up)
        monkeypatch.setattr(limits, "GIVE_WAY_SECONDS", 0.05)
        release.clear()
        order = asyncio.ensure_future(first.run(ordered))
        await asyncio.sleep(0)
        await patient.run(done.append, "not for ever")
        release.set()
        await order

    asyncio.run(both())
    assert done == ["order", "look-up", "not for ever", "order"]
    first.close()
    patient.close()


def test_a_worker_sees_the_calls_of_another() -> None:
    rush = Rush()
    child = os.fork()
    if not child:
        rush.goes_on()
        os._exit(0)
    os.waitpid(child, 0)
    assert 0.0 < rush._last[0] <= time.monotonic()
    assert not rush.pauses() or time.monotonic() - rush._last[0] >= limits.QUIET_SECONDS


def test_askers_have_turns_and_strangers_have_one_together() -> None:
    lane = Lane("test", 1, 1_000, most_of_one=40)
    done: list[bytes] = []

    async def ask(whose: bytes) -> None:
        await lane.run(done.append, whose, whose=whose)

    async def all_of_them() -> None:
        flood = [asyncio.ensure_future(ask(b"flood")) for _ in range(40)]
        strangers = [asyncio.ensure_future(ask(b"")) for _ in range(40)]
        await asyncio.sleep(0)  # they are there first
        gone = asyncio.ensure_future(ask(b"gone"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(*(ask(b"good") for _ in range(5)))
        for whose, told in ((b"flood", "of yours"), (b"", "without a key")):  # of strangers none need have sent many
            answers = await asyncio.gather(*(ask(whose) for _ in range(41)), return_exceptions=True)
            assert {told in str(answer) for answer in answers if answer is not None} == {True}
        await asyncio.gather(*flood, *strangers, ask(b"good"))

    asyncio.run(all_of_them())
    assert done.index(b"good") < 6 and [one for one in done[:20] if one == b"good"] == [b"good"] * 5
    assert b"gone" not in done and (lane._free, lane._taken, lane._waiting) == (2, {}, {})
    lane.close()


def test_an_export_lets_requests_go_first_and_comes_to_its_end(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone it never waits; beside a call of the lane it does before each of its pieces, and not for ever."""
    monkeypatch.setattr(limits, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(limits, "GIVE_WAY_SECONDS", 0.0005)
    monkeypatch.setattr(limits, "QUIET_SECONDS", 0.0)
    gave_way: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: gave_way.append(time.sleep(0.0005)))
    monkeypatch.setattr(lanes, "time", clock)
    assert ask(front, "/composed")[0] == 200
    assert gave_way == []
    waiting = threading.Thread(target=ask, args=(front, "/wait"))
    waiting.start()
    while not any(seen["PATH_INFO"] == "/wait" for seen in front.seen):
        time.sleep(0.001)
    assert ask(front, "/composed")[0] == 200
    front.release.set()
    waiting.join()
    pieces = LARGE // 10_000
    assert len(gave_way) > pieces / 2, "but where a moment was longer than it may wait"


# Of papertrade/reports, what reads a bounded number of points and not a whole run.
BOUNDED = {"account_charts", "curve_points", "curves_of", "symbol_chart"}


def readers_of_runs() -> set[Any]:
    """The functions that read all that a run did."""
    found = {verify_ledger}
    for place in pkgutil.iter_modules(reports.__path__, "papertrade.reports."):
        module = importlib.import_module(place.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            whole = {"book", "user", "executions"} & set(inspect.signature(function).parameters)
            if whole and not name.startswith("_") and name not in BOUNDED and function.__module__ == place.name:
                found.add(function)
    return found


def views(patterns: Any = None, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    """Each address with `1` in its places, and its code."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = prefix + re.sub(r"<[^>]+>", "1", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, address)
        elif hasattr(pattern.callback, "actions"):
            for action in set(pattern.callback.actions.values()):
                yield address, getattr(pattern.callback.cls, action)
        else:
            yield address, pattern.callback


def names(function: Any) -> set[Any]:
    """The functions that the code names, by way of its own module too."""
    function = inspect.unwrap(function)
    found: set[Any] = set()
    for name in getattr(getattr(function, "__code__", None), "co_names", ()):
        named = function.__globals__.get(name)
        if inspect.isfunction(named) and named is not function:
            found |= {named} | (names(named) if named.__module__ == function.__module__ else set())
    return found


def test_whatever_is_composed_row_by_row_is_an_export() -> None:
    found = {address for address, view in views() if csv_response in names(view)}
    assert len(found) > 10
    assert {address for address in found if not is_export(address) and not is_report(address, "")} == set()
    assert not is_export("/v1/paper/accounts/1/orders.csv") and not is_export("/accounts/1/performance/returns.csv")


def test_whatever_reads_a_whole_run_is_a_report() -> None:
    readers = readers_of_runs()
    found = {address.replace("/1/1/", "/1/ledger/") for address, view in views() if names(view) & readers}
    assert len(found) > 10
    assert {address for address in found if not is_report(address, "verify=")} == set()
    assert not is_report("/accounts/1/ledger/", "q=verify") and not is_report("/v1/paper/accounts/1/orders/", "verify")


def test_an_answer_that_breaks_while_it_is_composed_is_an_error_and_not_half_a_file(front: Front) -> None:
    status, body = ask(front, "/broken")
    assert status == 500
    assert b"the first line" not in body


def test_an_answer_that_nobody_may_compose_is_closed(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    django = front.bridge._django
    monkeypatch.setattr(front.bridge, "_django", lambda *request: made.append(django(*request)) or made[-1])
    monkeypatch.setattr(front.bridge._exports, "_most", 0)
    assert ask(front, "/composed")[0] == 503
    assert [answer.closed for answer in made] == [True]


def test_a_file_is_sent_and_closed(front: Front) -> None:
    status, body = ask(front, "/file")
    assert status == 200
    assert body.startswith(b'"""The web server')


def test_what_a_middleware_made_of_a_file_is_sent(front: Front) -> None:
    head, body = exchange(front, b"GET /file-in-capitals HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert body == b"X" * 70_000 + b" AND THE END"
    assert head.lower().count(b"content-length") == 1 and f"content-length: {len(body)}".encode() in head.lower()


def test_answers_without_a_body_have_none(front: Front) -> None:
    head, body = exchange(front, b"GET /not-modified HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304") and b"content-length: 0" not in head.lower()
    assert body == b""
    head, body = exchange(front, b"HEAD /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and body == b""


def test_requests_on_one_connection_are_answered_in_order(front: Front) -> None:
    request = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = front.connect(b"".join(request % number for number in range(20)))
    read_to_end(connection)
    assert [seen["PATH_INFO"] for seen in front.seen] == [f"/{number}" for number in range(20)]


def test_a_client_who_leaves_is_not_answered(front: Front) -> None:
    connection = front.connect(POST + b"Content-Length: 1000\r\n\r\nabc")
    connection.close()
    assert ask(front)[0] == 200
    assert len(front.seen) == 1


def test_expect_continue_is_honoured_only_where_the_body_is_wanted(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "2")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100")
    refused = front.connect(POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert refused.recv(100).startswith(b"HTTP/1.1 413")


def test_every_limit_is_used() -> None:
    names = {name for name in vars(limits) if name.isupper()}
    read = " ".join(path.read_text() for path in Path(limits.__file__).parent.glob("*.py"))
    assert {name for name in names if f"limits.{name}" not in read} == set()


def test_what_an_endpoint_takes_fits_through_the_server() -> None:
    from papertrade.api.kit.parsing import MAX_BODY_BYTES
    from papertrade.api.urls import urlpatterns

    assert limits.MAX_BODY_BYTES > MAX_BODY_BYTES
    for pattern in urlpatterns:
        most = getattr(getattr(getattr(pattern, "callback", None), "cls", None), "max_body_bytes", 0)
        assert most <= limits.LARGE_BODIES.get(f"/v1/{pattern.pattern}", limits.MAX_BODY_BYTES), pattern
