"""Strict JSON: numbers become Decimal and never float, and what JSON does not allow is refused."""

import json
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from rest_framework.parsers import BaseParser

from papertrade.api.kit.errors import PayloadTooLarge
from papertrade.lib.errors import BadRequest

MAX_BODY_BYTES = 65_536
MAX_LITERAL_LENGTH = 100  # of a number, as it is written


class StrictJSONParser(BaseParser):
    """Reads one JSON value of at most MAX_BODY_BYTES, or the view's own `max_body_bytes`.

    Raises BadRequest or PayloadTooLarge.
    """

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        most = getattr((parser_context or {}).get("view"), "max_body_bytes", MAX_BODY_BYTES)
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise PayloadTooLarge(f"Send at most {most} bytes.", max_bytes=most)
        if not raw.strip():
            return {}
        try:
            return json.loads(
                raw.decode("utf-8"),
                parse_float=_decimal,
                parse_int=_integer,
                parse_constant=_refuse_constant,
                object_pairs_hook=_object,
            )
        except UnicodeDecodeError:
            raise BadRequest("The body is not UTF-8.") from None
        except RecursionError:
            raise BadRequest("The body is nested too deeply.") from None
        except ValueError as problem:
            raise BadRequest(f"The body is not JSON: {problem}") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(_bounded(text))
    except InvalidOperation:
        raise ValueError("a number is out of range") from None


def _integer(text: str) -> int:
    return int(_bounded(text))


def _bounded(text: str) -> str:
    if len(text) > MAX_LITERAL_LENGTH:
        raise ValueError("a number has too many digits")
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is named twice")
    return found


def read_object(data: Any, *fields: str) -> dict[str, Any]:
    """The body as an object with only these fields, absent ones None. Raises BadRequest."""
    if not isinstance(data, dict):
        raise BadRequest("Send a JSON object.")
    unknown = sorted(name for name in data if name not in fields)
    if unknown:
        raise BadRequest("The body has fields that do not exist.", {name[:64]: "unknown field" for name in unknown})
    return {name: data.get(name) for name in fields}
