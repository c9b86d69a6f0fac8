"""Logs: one request id from the answer to every line, and never a secret, whatever goes wrong."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings as django_settings
from django.db import IntegrityError
from django.test import Client

from accounts.services import issue_key, revoke_key
from orders import services
from papertrade.dashboard.security import FAILURES_PER_NAME
from papertrade.lib.lines import LOGGER
from tests.api_kit import Api
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import MarketKit

PASSWORD = "a very secret passphrase 8472"


@pytest.fixture
def log(settings: Any) -> Iterator[io.StringIO]:
    """Everything that is logged, from DEBUG on, as production writes it: JSON lines."""
    settings.LOG_FORMAT = "json"
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=django_settings.LOG_PROCESSORS,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    lines, whole = logging.getLogger(LOGGER), logging.StreamHandler(text)
    lines.addHandler(whole)
    yield text
    lines.removeHandler(whole)
    root.removeHandler(handler)
    root.setLevel(level)


def broken(**_: Any) -> None:
    raise IntegrityError("the books refuse this")


def test_a_failure_is_logged_once_with_the_id_of_its_answer(
    api: Api, open_market: MarketKit, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = api.open_account()
    monkeypatch.setattr(services, "submit", broken)
    response = api.order(account_id)
    assert response.status_code == 500
    [line] = [json.loads(line) for line in log.getvalue().splitlines() if "request_failed" in line]
    assert line["request_id"] == response.headers["X-Request-ID"] == response.json()["request_id"]
    assert "the books refuse this" in line["exception"]


def test_the_id_of_one_request_is_not_on_the_lines_of_the_next(db: None, log: io.StringIO) -> None:
    Client().get("/v1/status/")
    structlog.get_logger("after").warning("later")
    assert "request_id" not in json.loads(log.getvalue().splitlines()[-1])


def test_secrets_are_never_logged(
    open_market: MarketKit, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    user = UserFactory(username="walter", password=PASSWORD)
    token = TokenFactory(user=user)
    api, browser = Api(token), Client(raise_request_exception=False)
    account_id = api.open_account()
    browser.post("/login/", {"username": "walter", "password": "wrong " + PASSWORD})
    browser.post("/login/", {"username": "walter", "password": PASSWORD})
    session = browser.cookies["sessionid"].value
    browser.get("/nowhere")
    Api(token + "x").get(f"{account_id}/")
    api.post(f"{account_id}/orders/", "{")
    browser.get(f"/v1/status/?key={token}&x={PASSWORD}", headers={"X-Request-ID": token})
    monkeypatch.setattr(services, "submit", broken)
    assert api.order(account_id).status_code == 500
    monkeypatch.setattr("papertrade.dashboard.views.accounts.accounts_of", broken)
    browser.get("/")
    failed = [json.loads(line) for line in log.getvalue().splitlines() if "request_failed" in line]
    assert [line["path"] for line in failed] == [f"/v1/paper/accounts/{account_id}/orders/", "/"]
    secret_parts = [PASSWORD, token, token[15:], session, django_settings.SECRET_KEY]
    secret_parts.append(str(django_settings.DATABASES["default"]["PASSWORD"]))
    for secret in secret_parts:
        assert secret not in log.getvalue()


def test_sign_ins_and_keys_leave_a_line(db: None, log: io.StringIO) -> None:
    """Who came in and from where; what was typed by somebody who did not come in is not repeated."""
    walter = UserFactory(username="walter", password=PASSWORD)
    client = Client()
    for address, password in [("203.0.113.9", "wrong"), *[("203.0.113.8", "wrong")] * (FAILURES_PER_NAME + 1)]:
        client.post("/login/", {"username": "walter", "password": password}, REMOTE_ADDR=address)
    client.post("/login/", {"username": "walter", "password": PASSWORD}, REMOTE_ADDR="198.51.100.7")
    key, _ = issue_key(user=walter, name="bot", scopes=["paper"])
    revoke_key(user=walter, key_id=key.pk)
    revoke_key(user=walter, key_id=key.pk)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    said = [(line["event"], line.get("address"), line.get("user")) for line in lines if "sign_in" in line["event"]]
    assert said == [
        ("sign_in_failed", "203.0.113.9", None),
        *[("sign_in_failed", "203.0.113.8", None)] * FAILURES_PER_NAME,
        ("sign_in_locked_out", "203.0.113.8", None),
        ("sign_in_succeeded", "198.51.100.7", "walter"),
    ]
    keys = [(line["event"], line["key"], line["user"]) for line in lines if line["event"].startswith("key_")]
    assert keys == [("key_issued", str(key.pk), "walter"), ("key_revoked", str(key.pk), "walter")]
