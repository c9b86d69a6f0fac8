"""Notes and tags as people send them: what can be one, and that what is left out stays. Pure."""

from collections.abc import Callable

import pytest

from accounts.labels import MAX_NOTE_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, changed_labels, read_labels
from papertrade.lib.errors import BadRequest

GOOD: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {}),
    ({"note": None, "tags": None}, {}),
    ({"note": "", "tags": []}, {"note": "", "tags": []}),
    ({"note": "  wider stop "}, {"note": "wider stop"}),
    ({"tags": ["v2", "a1b2c3d", "v2"]}, {"tags": ["v2", "a1b2c3d"]}),
    ({"tags": ["stop 2 %", "ünïcode"]}, {"tags": ["stop 2 %", "ünïcode"]}),
    ({"note": "x" * MAX_NOTE_LENGTH}, {"note": "x" * MAX_NOTE_LENGTH}),
    ({"tags": ["x" * MAX_TAG_LENGTH] * MAX_TAGS}, {"tags": ["x" * MAX_TAG_LENGTH]}),
]
BAD = [
    *[("note", value) for value in (1, True, [], {}, "a\nb", "a\x00", "x" * (MAX_NOTE_LENGTH + 1))],
    *[("tags", value) for value in ("v1", 1, True, {"v1": 1}, ("v1",), [f"v{n}" for n in range(MAX_TAGS + 1)])],
    *[("tags", [tag]) for tag in ("", " v1", "v1 ", "a,b", "a\nb", "x" * (MAX_TAG_LENGTH + 1), 1, None, ["v1"])],
]


@pytest.mark.parametrize(("given", "changes"), GOOD)
def test_labels(given: dict[str, object], changes: dict[str, object]) -> None:
    labels = read_labels(given)
    assert changed_labels(given) == changes
    assert {"note": labels.note, "tags": list(labels.tags)} == {"note": "", "tags": []} | changes


@pytest.mark.parametrize("read", [read_labels, changed_labels])
@pytest.mark.parametrize(("field", "value"), BAD)
def test_labels_that_cannot_be(field: str, value: object, read: Callable[[dict[str, object]], object]) -> None:
    with pytest.raises(BadRequest) as refused:
        read({field: value})
    assert set(refused.value.details) == {field}
