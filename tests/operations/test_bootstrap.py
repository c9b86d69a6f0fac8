"""The first users: made once, and left alone by every later start, whoever makes it and from wherever."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import ApiKey, User
from accounts.services import authenticate_key, revoke_key


@pytest.fixture
def folder(db: None, settings: Any, tmp_path: Path) -> Path:
    settings.PAPERTRADE_VAR = tmp_path
    return tmp_path


def bootstrap(folder: Path) -> dict[str, str]:
    call_command("bootstrap")
    file = folder / "credentials.json"
    return json.loads(file.read_text()) if file.exists() else {}


def test_what_it_writes_works_and_stays(folder: Path) -> None:
    known = bootstrap(folder)
    for user in ("dashboard", "admin"):
        assert User.objects.get(username=known[f"{user}_user"]).check_password(known[f"{user}_password"])
    assert authenticate_key(known["market_key"]).allows("market")
    assert not authenticate_key(known["paper_key"]).allows("market")
    assert bootstrap(folder) == known


def test_on_another_machine_it_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = bootstrap(folder)
    (folder / "credentials.json").unlink()
    assert bootstrap(folder) == {}
    assert User.objects.get(username="admin").check_password(known["admin_password"])
    assert ApiKey.objects.count() == 2
    assert "`papertrade password admin`" in capsys.readouterr().out


def test_a_file_of_another_server_gets_no_keys(folder: Path) -> None:
    known = bootstrap(folder)
    (folder / "credentials.json").write_text(
        json.dumps({**known, "dashboard_password": "another", "paper_key": "cm_1", "market_key": "cm_2"})
    )
    assert "paper_key" not in bootstrap(folder)
    assert ApiKey.objects.count() == 2


def test_a_key_that_was_revoked_is_made_anew(folder: Path) -> None:
    known = bootstrap(folder)
    trader = User.objects.get(username="trader")
    revoke_key(user=trader, key_id=authenticate_key(known["paper_key"]).pk)
    assert authenticate_key(bootstrap(folder)["paper_key"])
