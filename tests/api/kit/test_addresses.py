"""Addresses as people type them: without the slash, with Alpaca's headers, or just the beginning."""

import re

import pytest
from django.test import Client

import papertrade
from tests.api.openapi import document
from tests.api_kit import PAPER, Api
from tests.market_kit import MarketKit

pytestmark = pytest.mark.usefixtures("open_market")
ALPACA = {"APCA-API-KEY-ID": "PK123", "APCA-API-SECRET-KEY": "secret"}


@pytest.mark.parametrize("path", ["/docs", "/admin", "/keys", "/login", "/accounts/new"])
def test_a_page_without_its_slash_is_gone_to(path: str) -> None:
    response = Client().get(f"{path}?next=/x&a=1")
    assert response.status_code == 302 and response.headers["Location"] == f"{path}/?next=/x&a=1"


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "//evil.example", "//evil.example/docs"])
def test_what_is_nowhere_leads_nowhere(path: str) -> None:
    assert (
        Client().get("/", PATH_INFO=path).status_code == 404
    )  # as a server hands it on, whatever a url parser makes of it


def test_a_form_is_not_sent_on() -> None:
    assert Client().post("/docs", {"a": "1"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/market/clock", "/v1/market/clock/"),
        ("/v1/paper/accounts", "/v1/paper/accounts/"),
        ("/v1", "/v1/"),
        ("/v1/openapi.json/", "/v1/openapi.json"),
    ],
)
def test_a_call_is_told_its_slashed_twin_and_never_sent_on(api: Api, path: str, meant: str) -> None:
    for method in ("GET", "POST"):
        response = api.request(method, path, {} if method == "POST" else None)
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["details"]) == (404, "not_found", {"did_you_mean": meant})
        assert error["message"].endswith(meant)


def test_every_call_of_the_document_is_found_by_its_twin() -> None:
    for path in document()["paths"]:
        if path.endswith("/"):
            filled = re.sub(r"\{[^}]*\}", "x", path)
            assert Client().get(filled.rstrip("/")).json()["error"]["details"] == {"did_you_mean": filled}, path


def test_alpacas_addresses_have_no_slash_and_say_so() -> None:
    response = Client().get("/v2/account/", headers=ALPACA)
    assert response.status_code == 404 and "no slash at its end: /v2/account" in response.json()["message"]
    assert "slash" not in Client().get("/v2/nothing/", headers=ALPACA).json()["message"]


def test_alpacas_headers_are_told_which_one_is_wanted() -> None:
    response = Client().get(PAPER, headers=ALPACA)
    assert response.status_code == 401 and "below /v2/" in response.json()["error"]["message"]
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Alpaca" not in Client().get(PAPER).json()["error"]["message"]


def test_the_index_lists_every_call_of_the_document() -> None:
    index = Client().get("/v1/").json()
    assert (index["name"], index["version"], index["market"]) == ("papertrade", papertrade.__version__, "recorded")
    assert {(call["method"].lower(), call["path"]) for call in index["calls"]} == {
        (method, path) for path, operations in document()["paths"].items() for method in operations
    }
    for address in index["documentation"].values():
        assert Client().get(address.removeprefix("http://testserver")).status_code == 200, address


def test_a_refused_symbol_shows_one_that_can_be_ordered(api: Api, open_market: MarketKit) -> None:
    account = api.open_account()
    body = {"symbol": "AAPL C 500", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    said = api.post(f"{PAPER}{account}/orders/", body).json()["error"]["details"]["symbol"]
    shown = re.search(r"O:\w+", said)
    assert shown is not None
    order = api.post(f"{PAPER}{account}/orders/", {**body, "symbol": shown[0]})
    assert order.status_code == 201, order.content
