"""`papertrade replay`: a small live session on servers of its own; what differs, and what makes it impossible, in words.

Random sessions are in tests/trading/test_live_replay.py.
"""

import dataclasses
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Generation
from marketdata.models import MarketClock
from papertrade.proof.replay import CannotReplay, Stage, check_recording, write_script
from papertrade.proof.script import Kind, as_json, difference, from_json
from tests.desk import Desk
from tests.factories import UserFactory
from tests.live_kit import LiveKit
from tests.market_kit import MarketKit


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    return LiveKit(settings, monkeypatch, tmp_path / "live", start="13:59:58")


@pytest.fixture
def desk(live: LiveKit) -> Desk:
    """One order of each kind of end, and a second run."""
    desk = Desk(UserFactory())
    live.quote("IBM 100.00 100.10 500 300")
    desk.buy("10")
    waits = desk.buy("5", limit="99")
    live.quote("IBM 100.05 100.10 500 300")
    desk.cancel(desk.replace(waits, limit_price="98"))
    desk.buy("1000000")
    desk.reset(reason="a second try")
    live.quote("IBM 100.20 100.30 500 300")
    desk.buy("7", limit="100.30")
    live.pass_time(seconds=1)
    live.step()
    live.end()
    return desk


def replayed(**options: Any) -> tuple[int, str]:
    """The status of the command and what it said."""
    said = StringIO()
    try:
        call_command("replay", stdout=said, stderr=said, **options)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    except CommandError as problem:
        return problem.returncode, said.getvalue() + str(problem)
    return 0, said.getvalue()


def test_a_session_is_played_on_servers_of_its_own(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    status, said = replayed()
    out = capfd.readouterr().out
    assert (status, said) == (0, ""), out
    assert f"account {desk.account.pk} run 1: 2 transactions, equal" in out
    assert f"account {desk.account.pk} run 2: 2 transactions, equal" in out
    assert "2 ledger heads equal, 0 different." in out


def test_the_script_is_what_was_asked_for_and_survives_its_text(desk: Desk) -> None:
    script = write_script()
    assert [one.kind for one in script.requests] == [
        Kind.OPEN,
        Kind.ORDER,
        Kind.ORDER,
        Kind.REPLACE,
        Kind.CANCEL,
        Kind.ORDER,
        Kind.RESET,
        Kind.ORDER,
    ]
    assert from_json(as_json(script)) == script
    assert script.begins == desk.account.created_at
    until = script.requests[2].at
    assert [one.kind for one in write_script(until=until).requests] == [Kind.OPEN, Kind.ORDER, Kind.ORDER]


def test_what_differs_is_said(desk: Desk, live: LiveKit, market_kit: MarketKit) -> None:
    script = write_script()
    more = [
        dataclasses.replace(one, what={**one.what, "qty": "11"}) if one.what.get("qty") == "10" else one
        for one in script.requests
    ]
    market_kit.play_files(live.folder, start=script.begins.isoformat())
    verdicts = Stage().play(dataclasses.replace(script, requests=more))
    assert [one.problem for one in verdicts] == ["parts at transaction 2 of 2", ""]


def test_a_request_that_is_refused_is_said(desk: Desk, live: LiveKit, market_kit: MarketKit) -> None:
    script = write_script()
    twice = [one for one in script.requests for _ in range(2 if one.kind == Kind.CANCEL else 1)]
    market_kit.play_files(live.folder, start=script.begins.isoformat())
    verdicts = Stage().play(dataclasses.replace(script, requests=twice))
    assert "was refused: The order is canceled, not open." in verdicts[0].problem
    assert verdicts[1].problem.startswith("had 2 transactions and has 0 in the replay"), "nothing is played after it"


def test_a_recording_of_another_session(desk: Desk, market_kit: MarketKit) -> None:
    script = write_script()
    market_kit.play("14:00:00 IBM 50.00 50.10 500 300", start=script.begins.isoformat())
    with pytest.raises(
        CannotReplay, match="it lacks 2 of the quotes that orders were filled on, the first one of IBM at"
    ):
        check_recording(script)


def test_a_script_is_never_played_among_accounts(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text(as_json(write_script()))
    status, said = replayed(script=file)
    assert (status, said) == (2, "A script is played in a recorded market, on a server without accounts.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"feed": "simulated"}, "its run 2 began in another market, simulated."),
        ({"engine_version": "0"}, "its run 2 was decided by engine 0, and this is "),
    ],
)
def test_runs_that_cannot_be_played(desk: Desk, change: dict[str, str], sentence: str) -> None:
    Generation.objects.filter(account=desk.account, number=2).update(**change)
    status, said = replayed()
    assert status == 2 and said.startswith("No account can be replayed.") and sentence in said


def test_no_live_market_and_no_recording(desk: Desk, settings: Any, tmp_path: Path) -> None:
    assert replayed(recording=tmp_path / "none") == (
        2,
        f"There is no recording at {tmp_path / 'none'}: say --recording.",
    )
    settings.PAPERTRADE_RECORD = "off"
    assert replayed() == (2, "This server records nothing (PAPERTRADE_RECORD=off): say --recording.")
    MarketClock.objects.update(market="recorded")
    status, said = replayed(recording=tmp_path)
    assert (status, said) == (2, "This server plays the recorded market: there is no live session to replay.")


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (["a", "b"], ""),
        (["a", "c"], "parts at transaction 2 of 2"),
        (["a"], "had 2 transactions and has 1 in the replay; those of both are equal"),
        (["a", "b", "c"], "had 2 transactions and has 3 in the replay; those of both are equal"),
    ],
)
def test_where_ledgers_part(again: list[str], said: str) -> None:
    assert difference(["a", "b"], again) == said
