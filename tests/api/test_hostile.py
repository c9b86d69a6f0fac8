"""Hostile input (quality.md, "Bad input"): every field of every body, every parameter, whole bodies and paths.

Always a 4xx in the envelope, nothing stored, and never HTML under /v1/. Bodies are written as raw JSON, so that what no
encoder of Python would write is sent too.
"""

import json
import re
from typing import Any

import pytest
from django.urls import get_resolver

from accounts.models import Generation, PaperAccount
from marketdata.models import MarketClock
from orders.models import Order
from portfolio.models import AccountEvent, LedgerTransaction
from tests.api.contract import is_error
from tests.api.standing import owner, trader
from tests.api_kit import MARKET_PLACES, PAPER, Api
from tests.factories import TokenFactory

__all__ = ["owner", "trader"]

pytestmark = pytest.mark.usefixtures("standing_market", "db")

DEEP = 5_000
VALUES = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e400": "1e400",
    "1e-400": "1e-400",
    "1e999999999": "1e999999999",
    "-0": "-0",
    "-1": "-1",
    "a float of many digits": "0." + "1" * 500,
    "a megabyte of digits": "9" * 1_000_000,
    "5,000 digits": "9" * 5_000,
    "NaN as text": '"NaN"',
    "1e400 as text": '"1e400"',
    "1e999999999 as text": '"1e999999999"',
    "-0 as text": '"-0"',
    "a megabyte of digits as text": '"' + "9" * 1_000_000 + '"',
    "full-width digits": '"１２"',
    "Arabic digits": '"١٢"',
    "hex": '"0x10"',
    "underscores": '"1_0"',
    "NUL escaped": '"a\\u0000b"',
    "half a surrogate pair": '"\\ud800"',
    "control characters": '"a\\u0007\\u001b[31m"',
    "direction override": '"\\u202eabc"',
    "line breaks": '"a\\r\\nSet-Cookie: x"',
    "SQL": '"\'; DROP TABLE orders_order; --"',
    "HTML": '"<script>alert(1)</script>"',
    "true": "true",
    "a list": "[]",
    "a list of itself": "[[[[]]]]",
    "an object": '{"a": 1}',
    "a deep list": "[" * DEEP + "]" * DEEP,
    "a deep object": '{"a":' * DEEP + "1" + "}" * DEEP,
    "a long text": '"' + "x" * 100_000 + '"',
}

# What is text may be any printable text, and what is a switch may be true; of anything else no value above is one.
PRINTABLE = {
    "NaN as text",
    "1e400 as text",
    "1e999999999 as text",
    "-0 as text",
    "full-width digits",
    "Arabic digits",
    "hex",
    "underscores",
    "SQL",
    "HTML",
}
TAKES = {
    "name": PRINTABLE,
    "client_order_id": PRINTABLE,
    "reason": PRINTABLE,
    "symbol": {"NaN as text"},  # a ticker in small letters
    "confirm": {"true"},
    "extended_hours": {"true"},
    "size_cap": {"true"},
    "seconds": {"-0", "-0 as text"},
    "option_max_spread_ratio": {"-0", "-0 as text"},
    "option_spread_floor": {"-0", "-0 as text"},
}

ORDER = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "limit", "limit_price": "100", "time_in_force": "day"}
ORDER_FIELDS = [
    *ORDER, "position_intent", "client_order_id", "extended_hours", "order_class", "notional", "stop_price", "trail_price",
    "trail_percent", "legs", "take_profit", "stop_loss", "unknown",
]  # fmt: skip
RESET = {"confirm": True}
POLICY_FIELDS = [
    "stock_quote_max_age_seconds",
    "option_quote_max_age_seconds",
    "option_max_spread_ratio",
    "option_spread_floor",
    "size_cap",
]
ADVANCE, QUOTES = "/v1/market/clock/advance/", "/v1/market/quotes/"

BODIES: list[tuple[str, str, dict[str, Any], str]] = [
    *[("POST", PAPER, {}, field) for field in ("name", "initial_cash", "policy", "unknown")],
    *[("PATCH", "{id}/", {}, field) for field in ("name", "unknown")],
    *[("POST", "{id}/reset/", RESET, field) for field in ("confirm", "initial_cash", "reason", "policy", "unknown")],
    *[("POST", "{id}/orders/", ORDER, field) for field in ORDER_FIELDS],
    *[("POST", "{id}/orders/preview/", ORDER, field) for field in ("symbol", "qty", "client_order_id")],
    *[("POST", ADVANCE, {}, field) for field in ("to", "seconds", "unknown")],
    *[("POST", QUOTES, {}, "quotes")],
]


def stored() -> list[Any]:
    """Whatever a request could leave behind."""
    counts = [model.objects.count() for model in (PaperAccount, Generation, Order, AccountEvent, LedgerTransaction)]
    return [*counts, MarketClock.objects.get().through, list(PaperAccount.objects.values_list("name", flat=True))]


@pytest.fixture
def api(trader: Any) -> Api:
    """A plain client: these tests read the answers themselves, and send thousands of requests."""
    return Api(TokenFactory(user=trader))


@pytest.fixture
def market_api(trader: Any) -> Api:
    return Api(TokenFactory(user=trader, scopes=["paper", "market"]))


@pytest.fixture(scope="module")
def account_id(owner: Any) -> str:
    api = Api(TokenFactory(user=owner))
    account_id = api.open_account(name="kept")
    api.buy(account_id)
    return account_id


def survives(response: Any, what: object) -> None:
    """A 4xx in the envelope."""
    assert 400 <= response.status_code < 500, (what, response.status_code, response.content[:300])
    is_error(response, response.status_code, response.json()["error"]["code"])


@pytest.mark.parametrize(
    ("method", "path", "body", "field"), [pytest.param(*row, id=f"{row[1]} {row[3]}") for row in BODIES]
)
def test_a_field(market_api: Api, account_id: str, method: str, path: str, body: dict[str, Any], field: str) -> None:
    before = stored()
    for name, raw in VALUES.items():
        if name in TAKES.get(field, ()):
            continue
        rest = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in body.items() if key != field)
        response = market_api.request(method, path.format(id=account_id), f'{{"{field}": {raw}{rest}}}')
        survives(response, (field, name))
    assert stored() == before


@pytest.mark.parametrize("field", [*POLICY_FIELDS, "unknown"])
def test_a_field_of_a_policy(api: Api, account_id: str, field: str) -> None:
    before = stored()
    for name, raw in VALUES.items():
        if name in TAKES.get(field, ()):
            continue
        survives(api.post(PAPER, f'{{"policy": {{"{field}": {raw}}}}}'), (field, name))
    assert stored() == before


@pytest.mark.parametrize("field", ["name", "client_order_id"])
def test_printable_text_is_kept_as_it_is(api: Api, account_id: str, field: str) -> None:
    for name in PRINTABLE:
        text = json.loads(VALUES[name])
        if field == "name":
            assert api.post(f"{account_id}/reset/", {"confirm": True}).status_code == 200
            assert api.patch(f"{account_id}/", {"name": text}).json()["account"]["name"] == text
        else:
            assert api.buy(account_id, client_order_id=text)["client_order_id"] == text


WHOLE = {
    "nothing": b"",
    "not JSON": b"{",
    "two values": b"{} {}",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "overlong UTF-8": b'{"name": "\xc0\x80"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "NUL": b"\x00",
    "NUL in a text": b'{"name": "a\x00b"}',
    "a list": b"[]",
    "a list of orders": json.dumps([ORDER]).encode(),
    "a text": b'"x"',
    "a number": b"5",
    "null": b"null",
    "NaN": b"NaN",
    "a field twice": b'{"qty": "1", "qty": "2"}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "two megabytes": b'{"name": "' + b"x" * 2_000_000 + b'"}',
    "two megabytes of spaces": b" " * 2_000_000,
    "form": b"symbol=IBM&qty=1",
    "comments": b'{"qty": "1" /* one */}',
    "single quotes": b"{'qty': '1'}",
    "trailing comma": b'{"qty": "1",}',
}
WRITES = [
    ("POST", PAPER),
    ("PATCH", "{id}/"),
    ("POST", "{id}/reset/"),
    ("POST", "{id}/orders/"),
    ("POST", "{id}/orders/preview/"),
    ("POST", ADVANCE),
    ("POST", QUOTES),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_whole_body(market_api: Api, account_id: str, method: str, path: str) -> None:
    before = stored()
    for name, raw in WHOLE.items():
        if path == PAPER and name == "nothing":
            continue  # everything about a new account is optional
        response = market_api.request(method, path.format(id=account_id), raw or "")
        survives(response, name)
    assert stored() == before


TEXTS = [
    "\x00", "%00", "NaN", "-1", "1e400", "９", "'; DROP TABLE orders_order; --", "<script>", "x" * 5_000,
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\r\nX: y", "9" * 4_000, "{}", " ",
]  # fmt: skip
PARTS = [
    "\x00", "%00", "x" * 3_000, "'", "%27", "..%2f", "%F0%28%8C%28", "＿", "00000000-0000-0000-0000-000000000000", "%20",
]  # fmt: skip
COMMON = ["generation", "limit", "cursor"]
PARAMETERS = {
    "accounts/": ["include_archived"],
    "orders/": ["status", "symbol", "side", "asset_class", "after", "until", "tag"],
    "generations/": ["tag"],
    "orders:by_client_order_id": ["client_order_id"],
    "fills/": ["symbol", "order_id", "after", "until"],
    "history/": ["period", "timeframe", "after", "until"],
    "events/": ["after_seq"],
    "quotes/": ["symbols"],
    "calendar/": ["start", "end"],
}


def addresses() -> list[str]:
    """Every address under /v1/, from the URL table."""
    found = []
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern).startswith("v1/") and hasattr(pattern, "url_patterns"):
            found += [f"/v1/{child.pattern}" for child in pattern.url_patterns]
    assert len(found) > 20
    return found


def filled(address: str, places: dict[str, str]) -> str:
    """An address with something in its places."""
    for place, value in places.items():
        address = address.replace(f"<str:{place}>", value)
    return address


@pytest.mark.parametrize("address", [path for path in addresses() if "openapi" not in path])
def test_a_parameter(api: Api, account_id: str, address: str) -> None:
    order_id = api.get(f"{account_id}/orders/").json()["results"][0]["id"]
    path = filled(address, {**MARKET_PLACES, "account_id": account_id, "order_id": order_id})
    before = stored()
    own = next((names for ending, names in PARAMETERS.items() if address.endswith(ending)), [])
    for parameter in (*COMMON, *own):
        for text in TEXTS:
            response = api.get(path, **{parameter: text})
            what = (path, parameter, text[:20], response.status_code, response.content[:200])
            assert response.status_code < 500, what
            assert response.headers["Content-Type"].startswith("application/json"), what
            if response.status_code >= 400:
                is_error(response, response.status_code, response.json()["error"]["code"])
    assert stored() == before


@pytest.mark.parametrize("until", ["0001-01-01", "1969-12-31", "9999-12-31", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_time(api: Api, account_id: str, until: str) -> None:
    survives(api.get(f"{account_id}/portfolio/history/", period="1A", until=until), until)


@pytest.mark.parametrize("address", [path for path in addresses() if "<" in path])
def test_a_part_of_a_path(market_api: Api, account_id: str, address: str) -> None:
    before = stored()
    for text in PARTS:
        for method in ("GET", "DELETE"):
            wild = dict.fromkeys(re.findall(r"<str:(\w+)>", address), text)
            wild = (
                wild if len(wild) == 1 else {**wild, "account_id": account_id, "product": "stocks", "underlying": "IBM"}
            )
            path = filled(address, wild)
            response = market_api.request(method, path, None)
            assert 400 <= response.status_code < 500, (method, path[-80:], response.status_code, response.content[:200])
            is_error(response, response.status_code, response.json()["error"]["code"])
    assert stored() == before


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer cm_", "Basic eDp5", "Bearer a b", "bearer \xff", "Bearer cm_" + "x" * 10_000, "cm_x",
     "Bearer cm_" + "\x00" * 20, "Bearer cm_'; --", "Token x"],
    ids=ascii,
)  # fmt: skip
def test_an_authorization_header(header: str) -> None:
    response = Api(None).request("GET", PAPER, headers={"Authorization": header})
    is_error(response, 401, "unauthorized")


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "x" * 1000, "localhost:99999"])
def test_a_host_header(api: Api, host: str) -> None:
    response = api.request("GET", PAPER, headers={"Host": host})
    assert response.status_code in (200, 400)
    assert response.headers["Content-Type"].startswith("application/json")
    assert b"evil" not in response.content
