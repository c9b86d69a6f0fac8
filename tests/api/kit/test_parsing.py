"""What the parser refuses before any rule sees it, and what it hands on: numbers never pass through float."""

from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from papertrade.api.kit.errors import PayloadTooLarge
from papertrade.api.kit.parsing import MAX_BODY_BYTES, StrictJSONParser, read_object
from papertrade.lib.errors import BadRequest
from tests.api.contract import is_error
from tests.api_kit import PAPER, Api


def parse(raw: bytes) -> Any:
    return StrictJSONParser().parse(BytesIO(raw))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"qty": 0.1}', {"qty": Decimal("0.1")}),
        (b'{"qty": 1e2}', {"qty": Decimal("1e2")}),
        (b'{"qty": 123456789012345678901234567890}', {"qty": 123456789012345678901234567890}),
        (b'{"qty": "0.1"}', {"qty": "0.1"}),
        (b"  ", {}),
        (b"[]", []),
        ('{"name": "Zoë"}'.encode(), {"name": "Zoë"}),
    ],
)
def test_valid(raw: bytes, value: Any) -> None:
    assert parse(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"{'a': 1}", b"{} {}", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 01}', b'{"a": 1, "a": 2}',
        b'{"a": ' + b"9" * 101 + b"}", b'{"a": 1e99999999999999999999}', b'{"a": "\xff"}', b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}', b"[" * 50_000, b'{"a": \xef\xbc\x91}',
    ],
)  # fmt: skip
def test_invalid(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(raw)


def test_a_body_may_have_that_many_bytes_and_not_one_more() -> None:
    text = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'
    assert len(parse(text)) == MAX_BODY_BYTES - 2
    with pytest.raises(PayloadTooLarge):
        parse(text + b" ")


def test_pushed_quotes_may_be_longer(open_market: Any, market_api: Api) -> None:
    long = {"quotes": [{"symbol": "IBM", "note": "x" * 1000}] * 200}
    is_error(market_api.post("/v1/market/quotes/", long), 409, "feed_not_writable")
    is_error(market_api.post("/v1/market/clock/advance/", long), 413, "payload_too_large")


@pytest.mark.parametrize("data", [[], "x", 1, None])
def test_only_an_object_has_fields(data: Any) -> None:
    with pytest.raises(BadRequest):
        read_object(data, "name")


def test_unknown_fields_are_named_and_absent_ones_are_none() -> None:
    assert read_object({"name": "a"}, "name", "reason") == {"name": "a", "reason": None}
    with pytest.raises(BadRequest) as refused:
        read_object({"nmae": "a"}, "name")
    assert refused.value.details == {"nmae": "unknown field"}


@pytest.mark.parametrize("path", ["", "{account}/reset/", "{account}/orders/", "{account}/orders/preview/"])
@pytest.mark.parametrize("name", ["code", "message", "self"])
def test_an_unknown_field_may_have_any_name(open_market: Any, api: Api, path: str, name: str) -> None:
    """It says nothing to whoever puts the refusal together."""
    account = api.open_account()
    response = api.post(f"{PAPER}{path.format(account=account)}", {name: "order_not_cancelable"})
    assert list(is_error(response, 400, "bad_request")) == [name]


@pytest.mark.parametrize("body", ['{"\\ud800": 1}', '{"policy": {"\\ud800": 1}}', '{"name": "\\ud800"}'])
def test_half_a_surrogate_pair_is_refused_and_repeated_as_it_came(open_market: Any, api: Api, body: str) -> None:
    is_error(api.post(PAPER, body), 400, "bad_request")


def test_a_body_that_is_no_object_closes_no_position(open_market: Any, api: Api) -> None:
    account = api.open_account()
    api.buy(account, qty="5")
    for body in ("[1]", '{"quantity": "1"}', '"1"'):
        is_error(api.request("DELETE", f"{account}/positions/IBM/", body), 400, "bad_request")
    assert api.get(f"{account}/positions/IBM/").json()["qty"] == "5.000000"
