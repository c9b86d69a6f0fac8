"""JSON as it goes out: the bytes of Python's own encoder, whichever writes them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import resolve
from hypothesis import given
from hypothesis import strategies as some

from orders.states import Status
from papertrade.api.kit.rendering import EnvelopeRenderer, NumbersRenderer, spelled
from tests.api.openapi import document

text = some.text(max_size=20) | some.just("half a pair: \ud800")
values = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**70), 2**70) | text | some.sampled_from(Status),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_both_encoders_write_the_same_bytes(value: Any) -> None:
    if value is not None:
        assert EnvelopeRenderer().render(value) == spelled(value)


@pytest.mark.parametrize("control", [chr(number) for number in (*range(0x21), 0x7F, 0x2028, 0xFFFF, 0x1F600)])
def test_every_kind_of_character(control: str) -> None:
    assert EnvelopeRenderer().render({control: control}) == spelled({control: control})


def test_half_a_surrogate_pair_goes_back_as_the_escape_that_it_came_as() -> None:
    assert EnvelopeRenderer().render(json.loads(r'"\ud800"')) == rb'"\ud800"'


def numbers(schema: Any, parts: dict[str, Any], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Where a schema says that a number may have a point."""
    if isinstance(schema, list):
        for one in schema:
            yield from numbers(one, parts, seen)
    elif isinstance(schema, dict):
        kind = schema.get("type")
        if kind == "number" or (isinstance(kind, list) and "number" in kind):
            yield str(schema)
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            yield from numbers(parts[name], parts, seen | {name})
        for below in schema.values():
            yield from numbers(below, parts, seen)


def test_a_call_that_answers_with_such_numbers_is_written_by_the_encoder_that_always_wrote_them() -> None:
    whole, found = document(), set()
    for path, calls in whole["paths"].items():
        for operation in calls.values():
            answers = [answer.get("content", {}) for status, answer in operation["responses"].items() if status < "300"]
            if any(numbers(answers, whole["components"]["schemas"])):
                view = resolve(re.sub(r"\{\w+\}", "AAPL", path)).func
                assert view.cls.renderer_classes == [NumbersRenderer], path
                found.add(path)
    assert {"/v1/status/", "/v1/market/clock/", "/v1/stocks/snapshot/{symbol}/"} <= found
