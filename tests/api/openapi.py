"""A client that checks each answer against the OpenAPI document: what the document does not say must not happen."""

import json
import re
from functools import cache
from typing import Any

from django.test import RequestFactory
from jsonschema import Draft202012Validator, FormatChecker

from papertrade.api.kit.schema import openapi
from tests.api_kit import Api

# Not listed per call in the document: a method that an address does not take, and a defect.
UNLISTED = {405, 500}
UNLISTED_METHODS = {"HEAD", "OPTIONS"}


class TruthfulApi(Api):
    """As Api; an answer that the document does not describe fails the test."""

    def request(self, method: str, path: str, *args: Any, **extra: Any) -> Any:
        response = super().request(method, path, *args, **extra)
        check(method, response.request["PATH_INFO"], response)
        return response


def check(method: str, path: str, response: Any) -> None:
    """Assert that the document has this answer of this call."""
    template = _template_of(path)
    if template is None or method in UNLISTED_METHODS or response.status_code in UNLISTED:
        return
    listed = document()["paths"][template][method.lower()]["responses"]
    assert str(response.status_code) in listed, f"{method} {template} answers {response.status_code}: not in the schema"
    content = listed[str(response.status_code)].get("content")
    if content is None:
        assert response.content == b"", f"{method} {template}: the schema promises no body"
        return
    problems = _validator(content["application/json"]["schema"].get("$ref", "")).iter_errors(response.json())
    said = [f"{'/'.join(map(str, problem.absolute_path))}: {problem.message[:200]}" for problem in problems]
    assert not said, f"{method} {template} {response.status_code} is not what the schema says: {said}"


@cache
def document() -> dict[str, Any]:
    """The document, as a client gets it; also while tests are collected."""
    return json.loads(openapi(RequestFactory().get("/v1/openapi.json")).content)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    paths = sorted(document()["paths"], key=lambda path: path.count("{"))  # `orders/preview/` is no order's id
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]


def _template_of(path: str) -> str | None:
    return next((template for pattern, template in _templates() if pattern.fullmatch(path)), None)


@cache
def _validator(reference: str) -> Draft202012Validator:
    """By reference, with every object closed: a field that is not described is as wrong as one that is missing."""
    assert reference, "each body is a named component"
    components = {name: _closed(schema) for name, schema in document()["components"]["schemas"].items()}
    schema = {"$ref": reference, "components": {"schemas": components}}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {"additionalProperties": False, **schema} if "properties" in schema else schema
