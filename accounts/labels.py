"""What people write on a run or an order to find it again: a note, and tags such as a strategy's version or commit. Pure.

Labels have no effect on trading and are no part of what is proven (docs/proof.md): they may be changed at any time, even when a
run is over.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from papertrade.lib.errors import BadRequest

MAX_NOTE_LENGTH = 500
MAX_TAGS = 10
MAX_TAG_LENGTH = 64
LABELS = ("note", "tags")


class Labels(NamedTuple):
    """A note, and tags in the order in which they were given, each once."""

    note: str = ""
    tags: tuple[str, ...] = ()


NO_LABELS = Labels()


def read_labels(given: Mapping[str, object]) -> Labels:
    """The labels of a payload; none where it leaves them out, or gives them as null. Raises BadRequest."""
    problems: dict[str, str] = {}
    found = labels_in(given, problems)
    if problems:
        raise BadRequest("The labels cannot be used.", problems)
    return found


def changed_labels(given: Mapping[str, object]) -> dict[str, Any]:
    """Those that a payload gives, by column: what it leaves out, or gives as null, stays as it is. Raises BadRequest."""
    labels = read_labels(given)
    columns = {"note": labels.note, "tags": list(labels.tags)}
    return {name: value for name, value in columns.items() if given.get(name) is not None}


def labels_in(given: Mapping[str, object], problems: dict[str, str]) -> Labels:
    """As `read_labels`, among other fields: what is wrong with one is put among the problems."""
    found = NO_LABELS
    for name, read in READERS.items():
        try:
            if given.get(name) is not None:
                found = found._replace(**{name: read(given[name])})
        except ValueError as problem:
            problems[name] = str(problem)
    return found


def read_note(value: object) -> str:
    """A note without surrounding space; an empty one is none. Raises ValueError."""
    if not isinstance(value, str) or len(value) > MAX_NOTE_LENGTH or not value.isprintable():
        raise ValueError(f"must be at most {MAX_NOTE_LENGTH} printable characters")
    return value.strip()


def read_tags(value: object) -> tuple[str, ...]:
    """Tags, each once. Raises ValueError."""
    if not isinstance(value, list) or len(value) > MAX_TAGS or not all(is_tag(tag) for tag in value):
        raise ValueError(
            f"must be a list of at most {MAX_TAGS} tags, each of 1 to {MAX_TAG_LENGTH} printable characters "
            "without a comma, and without a space at either end"
        )
    return tuple(dict.fromkeys(value))


def is_tag(value: object) -> bool:
    """Whether the value can be a tag. Tags are written with commas between them, so none may contain one."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= MAX_TAG_LENGTH
        and value.isprintable()
        and value == value.strip()
        and "," not in value
    )


READERS: dict[str, Callable[[object], Any]] = {"note": read_note, "tags": read_tags}
