"""That the OpenAPI document is valid, and that the checking client of these tests finds what is not in it."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

import papertrade
from orders import reasons
from orders.states import Status
from papertrade.api.kit.errors import STATUS_OF_CODE
from portfolio.models import EventType
from tests.api.openapi import check, document

# Which contracts trade depends on the day, so there is no example of one.
OF_A_CONTRACT = re.compile("/snapshot/|/contracts/")
CLOCK = {
    "timestamp": "2013-10-07T14:00:00.000000Z",
    "is_open": True,
    "next_open": "2013-10-08T13:30:00.000000Z",
    "next_close": "2013-10-07T20:00:00.000000Z",
    "market": "recorded",
    "speed": "0",
    "feed": None,
}


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


def test_it_says_whose_it_is_and_under_which_licence() -> None:
    info, (server,) = document()["info"], document()["servers"]
    assert (info["version"], info["license"]["identifier"]) == (papertrade.__version__, "MIT")
    assert info["description"] and server["url"] == "/"


def test_every_parameter_has_a_type_and_those_of_paths_say_where_a_value_comes_from() -> None:
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                assert parameter["schema"].get("type"), (path, parameter)
                if parameter["in"] == "path":
                    assert parameter["required"] and parameter["description"], (path, parameter)
                    example = parameter.get("example")
                    assert example or parameter["name"].endswith("_id") or OF_A_CONTRACT.search(path), (path, parameter)


def test_every_body_has_a_name_an_example_and_is_required_where_a_field_is() -> None:
    components = document()["components"]["schemas"]
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            if "requestBody" in operation:
                (content,) = operation["requestBody"]["content"].values()
                schema = components[content["schema"]["$ref"].rpartition("/")[2]]
                assert schema.get("example"), (path, schema["title"])
                assert operation["requestBody"]["required"] == ("required" in schema), path


@pytest.mark.parametrize(
    ("component", "field", "words"),
    [
        ("Order", "status", list(Status)),
        ("Order", "no_fill_reason", [*reasons.NO_FILL, ""]),
        ("Order", "rejected_reason", [*reasons.REJECTED, ""]),
        ("Order", "cancel_reason", [*reasons.CANCELED, ""]),
        ("Event", "type", EventType.values),
        ("Quote", "quality", ["ok", *reasons.NO_FILL]),
        ("ErrorBody", "code", list(STATUS_OF_CODE)),
    ],
)
def test_words_are_listed_under_a_name_of_their_own(component: str, field: str, words: list[str]) -> None:
    components = document()["components"]["schemas"]
    (reference,) = components[component]["properties"][field]["allOf"]
    assert components[reference["$ref"].rpartition("/")[2]]["enum"] == [str(word) for word in words]


def test_an_age_is_of_one_type() -> None:
    components = document()["components"]["schemas"].values()
    ages = [part["properties"]["age_ms"]["type"] for part in components if "age_ms" in part.get("properties", {})]
    assert len(ages) >= 3 and all(kind in ("integer", ["integer", "null"]) for kind in ages), ages
