"""That the OpenAPI document is valid, and that the checking client of these tests finds what is not in it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.api.openapi import check, document

CLOCK = {
    "timestamp": "2013-10-07T14:00:00.000000Z", "is_open": True, "next_open": "2013-10-08T13:30:00.000000Z",
    "next_close": "2013-10-07T20:00:00.000000Z", "market": "recorded", "speed": "0", "feed": None,
}  # fmt: skip


def answer(body: Any, status: int = 200) -> SimpleNamespace:
    return SimpleNamespace(status_code=status, json=lambda: body, content=json.dumps(body).encode())


def test_what_the_document_says_passes() -> None:
    check("GET", "/v1/market/clock/", answer(CLOCK))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**CLOCK, "extra": 1}, 200),
        ({name: value for name, value in CLOCK.items() if name != "speed"}, 200),
        ({**CLOCK, "is_open": "yes"}, 200),
        ({**CLOCK, "timestamp": "2013-10-07 14:00"}, 200),
        ({**CLOCK, "next_open": None}, 200),
        (CLOCK, 201),
        ({"status": "ERROR"}, 400),
    ],
)
def test_what_it_does_not_say_is_found(body: Any, status: int) -> None:
    with pytest.raises(AssertionError):
        check("GET", "/v1/market/clock/", answer(body, status))


def test_every_reference_leads_somewhere() -> None:
    text, components = json.dumps(document()), document()["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= set(components)


def test_every_call_says_what_it_does_and_has_a_name_of_its_own() -> None:
    operations = [operation for path in document()["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and "description" not in operation for operation in operations)
