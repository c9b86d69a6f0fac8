"""What every object on the wire is made of: a description of its fields, by which it is written fast."""

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from papertrade.api.kit.errors import STATUS_OF_CODE
from papertrade.api.kit.fields import Text, Word, as_it_is

Plan = tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Any] | None], ...]


class WireSerializer(serializers.Serializer):
    """An object that goes out. Its fields say what the document says of it, and how each value is written.

    How to get and write each field is worked out once per class: asking every field of every row costs several times more
    than writing it. A value that is None is written as null, a nested serializer with `source="*"` gets the whole object.
    """

    def to_representation(self, instance: Any) -> dict[str, Any]:
        kind: Any = type(self)
        of_mapping, of_object = _plans(kind)
        plan = of_mapping if isinstance(instance, Mapping) else of_object
        return {
            name: value if (value := get(instance)) is None or write is None else write(value)
            for name, get, write in plan
        }


@cache
def _plans(kind: Any) -> tuple[Plan, Plan]:
    """How to write an object of that kind from a mapping, and from anything with attributes."""
    fields = kind().fields.items()
    return (
        tuple((name, _getter(field, itemgetter), _writer(field)) for name, field in fields),
        tuple((name, _getter(field, attrgetter), _writer(field)) for name, field in fields),
    )


def _getter(field: serializers.Field, kind: Callable[[str], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    return _itself if field.source == "*" else kind(field.source)


def _writer(field: serializers.Field) -> Callable[[Any], Any] | None:
    """How its value is written; None where it goes out as it is."""
    write = field.write if hasattr(field, "write") else field.to_representation
    return None if write is as_it_is else write


def _itself(instance: Any) -> Any:
    return instance


class ErrorSerializer(WireSerializer):
    """Every failure, whatever it was."""

    status = Text()
    request_id = Text()
    error = inline_serializer(
        "ErrorBody",
        {
            "code": Word(STATUS_OF_CODE, called="ErrorCode"),
            "message": Text(),
            "details": serializers.DictField(read_only=True),
        },
    )
