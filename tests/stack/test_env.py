"""Settings from the environment: read once, and loud where they cannot be used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from papertrade.lib import env

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: env.whole("PAPERTRADE_X", 1, low=1, high=9), "ten"),
        (lambda: env.whole("PAPERTRADE_X", 1, low=1, high=9), "10"),
        (lambda: env.number("PAPERTRADE_X", "1"), "-1"),
        (lambda: env.number("PAPERTRADE_X", "1"), "NaN"),
        (lambda: env.switch("PAPERTRADE_X", True), "maybe"),
        (lambda: env.choice("PAPERTRADE_X", "a", ("a", "b")), "c"),
        (lambda: env.instant("PAPERTRADE_X"), "tomorrow"),
        (lambda: env.limit("PAPERTRADE_X", 1), "0"),
    ],
)
def test_a_value_that_cannot_be_used_names_variable_and_wish(monkeypatch: pytest.MonkeyPatch, read, text: str) -> None:
    monkeypatch.setenv("PAPERTRADE_X", text)
    with pytest.raises(env.BadSetting, match=f"PAPERTRADE_X='{text}' cannot be used: it must be "):
        read()


@pytest.mark.parametrize("text", ["change me", "x" * 60, "0123456789" * 4 + "ü" * 20])
def test_a_secret_that_is_none_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PAPERTRADE_X", text)
    with pytest.raises(env.BadSetting, match="PAPERTRADE_X cannot be used: it must be at least 50 random") as refused:
        env.secret("PAPERTRADE_X", characters=50)
    assert text not in str(refused.value)


def test_empty_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERTRADE_X", " ")
    assert env.whole("PAPERTRADE_X", 7) == 7


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("PAPERTRADE_SPEDE", "PAPERTRADE_SEED or PAPERTRADE_SPEED"),
        ("PAPERTRADE_WORKER", "PAPERTRADE_WORKERS"),
        ("PAPERTRADE_WBE_WORKERS", "PAPERTRADE_WEB_WORKERS"),
        ("PAPERTRADE_LOGLEVEL", "PAPERTRADE_LOG_LEVEL"),
        ("PAPERTRADE_RECRODING", "PAPERTRADE_RECORDING"),
    ],
)
def test_a_typo_is_refused_and_mended(monkeypatch: pytest.MonkeyPatch, given: str, meant: str) -> None:
    monkeypatch.setenv(given, "1")
    with pytest.raises(env.BadSetting, match=f"no setting {given}: is it {meant}[?]"):
        env.refuse_typos()


def test_a_setting_of_the_next_release_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rolling back is possible with the environment as it is."""
    monkeypatch.setenv("PAPERTRADE_MARS_TIME", "1")
    env.refuse_typos()
    assert "This release has no setting PAPERTRADE_MARS_TIME: ignored." in capsys.readouterr().err


def test_no_setting_looks_like_a_typo_of_another() -> None:
    """Else the release before it would not start beside the next one's environment."""
    import papertrade.settings  # noqa: F401

    names = sorted(name for name in env.SEEN if name.startswith(env.PREFIX) and name != "PAPERTRADE_X")
    alike = {(name, other) for name in names for other in names if name < other and env.is_typo(name, other)}
    assert alike == {("PAPERTRADE_SEED", "PAPERTRADE_SPEED")}, "both were in 0.1.0"


def test_a_database_is_reached_as_its_url_says() -> None:
    place, parameters = env.database(
        "postgresql://u:p%40ss@db.example:6432/books?sslmode=verify-full&sslrootcert=%2Fca"
    )
    assert place == {"NAME": "books", "USER": "u", "PASSWORD": "p@ss", "HOST": "db.example", "PORT": "6432"}
    assert parameters == {"sslmode": "verify-full", "sslrootcert": "/ca"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:hidden@db/books?sslmod=require", "has sslmod; it may have sslmode, "),
        ("postgresql://u:hidden@db/books?options=-cfsync%3Doff", "has options; it may have"),
        ("postgresql://u:hidden@db/books?sslmode", "must be postgresql://"),
        ("postgresql://u:hidden@db:port/books", "must be postgresql://"),
        ("mysql://u:hidden@db/books", "must be postgresql://"),
    ],
)
def test_a_database_url_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(env.BadSetting, match=re.escape(said)) as refused:
        env.database(url)
    assert "hidden" not in str(refused.value)


def test_the_server_does_not_start_on_a_bad_setting() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=PROJECT,
        env={"PAPERTRADE_SPEED": "fast"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "PAPERTRADE_SPEED='fast' cannot be used" in done.stderr


def test_the_documentation_lists_every_variable() -> None:
    listed = set(
        re.findall(
            r"`((?:PAPERTRADE_|DATABASE_URL|DATABASE_OWNER_URL|REDIS_URL)\w*)`",
            (PROJECT / "docs/configuration.md").read_text(),
        )
    )
    read = {name for name in env.SEEN if name != "PAPERTRADE_X"}
    assert listed >= read
    assert {name for name in listed if name.startswith("PAPERTRADE_")} - {"PAPERTRADE_"} <= read
