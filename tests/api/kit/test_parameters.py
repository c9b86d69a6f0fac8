"""Every query parameter of every route: what is declared is read, what is not is refused by name, and nothing is dropped.

The routes come from the URL table and the parameters from the viewsets, so that a new one of either is in these tables at once;
`VALUES` must say a value for each new parameter.
"""

from typing import Any

import pytest
from django.urls import get_resolver

from orders.models import Order
from papertrade.api.kit.filters import Parameter
from papertrade.api.kit.viewsets import ApiViewSet
from tests.api.contract import is_error
from tests.api.openapi import document
from tests.api.standing import owner, trader
from tests.api_kit import MARKET_PLACES, Api
from tests.factories import TokenFactory

__all__ = ["owner", "trader"]

# What the hosted product's clients document for its calls: honoured where it is declared, and refused where not.
OF_THEIR_CLIENTS = ("as_of", "sort", "order", "page", "symbols", "symbol", "side", "percentage", "limit", "direction")
# No call's parameters; all but the first would mean something to the exception that names them, were they its keywords.
OF_NOBODY = ("sybmol", "code", "message", "self")
# A value of each parameter that there is.
VALUES = {
    "active": "true", "adjusted": "false", "as_of": "2013-10-07", "date": "2013-10-07", "expand_underlying": "true",
    "expired": "true", "include_otc": "true", "long_window": "5", "page": "MQ", "search": "ib", "short_window": "3",
    "signal_window": "2", "ticker": "IBM", "tickers": "IBM,MSFT", "timestamp": "2013-10-07", "underlying_ticker": "IBM",
    "window": "3",
    "after": "2013-10-07T14:00:00Z", "after_seq": "1", "asset_class": "us_equity", "client_order_id": "first",
    "contract_type": "call", "cursor": "MQ", "direction": "asc", "end": "2013-10-10", "expiration_date": "2013-10-19",
    "generation": "1", "include_archived": "true", "limit": "5", "order_id": "{order_id}", "percentage": "50",
    "period": "1D", "qty": "1", "query": "ib", "side": "buy", "start": "2013-10-07", "status": "open",
    "method": "fifo", "runs": "{account_id}", "strike_price": "100", "symbol": "IBM", "symbols": "IBM,MSFT",
    "note": "stopped", "tag": "v1", "tags": "v1,exit", "timeframe": "5Min", "until": "2013-10-07",
    "updated_after": "2013-10-07",
}  # fmt: skip
BODIES = {
    "order-list": {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market"},
    "order-preview": {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market"},
    "account-reset": {"confirm": True},
    "clock-advance": {"seconds": 0},
    "quote-list": {"quotes": []},
}
Call = tuple[str, str, str, ApiViewSet]  # method, address, name of the route, the view as that call makes it


def calls() -> list[Call]:
    """Every call under /v1/ that a viewset answers."""
    _, api = get_resolver().namespace_dict["api"]
    found = []
    for pattern in api.url_patterns:
        for method, action in getattr(pattern.callback, "actions", {}).items():
            if method != "head":
                view = pattern.callback.cls(**pattern.callback.initkwargs)
                view.action = action
                found.append((method.upper(), f"/v1/{pattern.pattern}", pattern.name or "", view))
    return found


CALLS = calls()


def declared(call: Call) -> dict[str, Parameter]:
    return {**call[3].get_parameters().base_filters, **call[3].paginator.parameters}


@pytest.fixture(scope="module")
def places(owner: Any) -> dict[str, str]:
    """Real things, by their place in an address."""
    market_api = Api(TokenFactory(user=owner))
    account_id = market_api.open_account()
    market_api.buy(account_id, qty="10", client_order_id="first")
    order = market_api.buy(account_id, type="limit", limit_price="50")
    return {**MARKET_PLACES, "account_id": account_id, "order_id": order["id"]}


def send(api: Api, call: Call, places: dict[str, str], query: dict[str, Any]) -> Any:
    method, address, name, _ = call
    for place, value in places.items():
        address = address.replace(f"<str:{place}>", value)
    return api.request(method, address, BODIES.get(name, {}) if method in ("POST", "PATCH") else None, query=query)


def required(call: Call, places: dict[str, str]) -> dict[str, str]:
    return {
        name: VALUES[name].format(**places)
        for name, parameter in call[3].get_parameters().base_filters.items()
        if parameter.is_required
    }


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[2]}")
def test_what_is_not_declared_is_refused_by_name(call: Call, market_api: Api, places: dict[str, str]) -> None:
    before = list(Order.objects.order_by("pk").values_list("pk", "status"))
    for names in (*([name] for name in OF_THEIR_CLIENTS if name not in declared(call)), OF_NOBODY):
        response = send(market_api, call, places, {**required(call, places), **dict.fromkeys(names, "1")})
        assert sorted(is_error(response, 400, "bad_request")) == sorted(names)
        assert all(f"{name}: " in response.json()["error"]["message"] for name in names)
    assert list(Order.objects.order_by("pk").values_list("pk", "status")) == before, "nothing was done"


@pytest.mark.parametrize("call", [call for call in CALLS if declared(call)], ids=lambda call: f"{call[0]} {call[2]}")
class TestDeclared:
    def test_the_document_has_them(self, call: Call) -> None:
        method, address, _, _ = call
        path = address.replace("<str:", "{").replace(">", "}")
        if path in document()["paths"]:  # the second spelling of an address is in it once
            listed = document()["paths"][path][method.lower()]["parameters"]
            found = {item["name"]: item["description"] for item in listed if item["in"] == "query"}
            assert found == {name: parameter.says for name, parameter in declared(call).items()}

    def test_each_is_read(self, call: Call, market_api: Api, places: dict[str, str]) -> None:
        for name, parameter in declared(call).items():
            words = getattr(parameter, "words", None)  # the same name has other words at another address
            value = words[0] if words else VALUES[name.partition(".")[0]].format(**places)
            response = send(market_api, call, places, {**required(call, places), name: value})
            # A cursor of another list, a position that is closed by now: found out after the parameter was read.
            assert response.status_code < 300 or response.status_code in (404, 409) or name in ("cursor", "page"), (
                response.content
            )

    def test_what_cannot_be_read_is_refused(self, call: Call, market_api: Api, places: dict[str, str]) -> None:
        for name, parameter in declared(call).items():
            for value in ("\x00", ["IBM", "\x00"], *([] if parameter.may_be_empty else [""])):
                response = send(market_api, call, places, {**required(call, places), name: value})
                assert response.status_code == 400, (name, value, response.content)
