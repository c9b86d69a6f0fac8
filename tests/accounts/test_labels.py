"""Notes and tags as people send them: what can be one, and that what is left out stays. Pure."""

import pytest

from accounts.labels import MAX_NOTE_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, Labels, read_labels
from papertrade.lib.errors import BadRequest

WRITTEN = Labels("first try", ("v1",))
GOOD = [
    ({}, WRITTEN),
    ({"note": None, "tags": None}, WRITTEN),
    ({"note": "", "tags": []}, Labels()),
    ({"note": "  wider stop "}, Labels("wider stop", ("v1",))),
    ({"tags": ["v2", "a1b2c3d", "v2"]}, Labels("first try", ("v2", "a1b2c3d"))),
    ({"tags": ["stop 2 %", "ünïcode"]}, Labels("first try", ("stop 2 %", "ünïcode"))),
    ({"note": "x" * MAX_NOTE_LENGTH}, Labels("x" * MAX_NOTE_LENGTH, ("v1",))),
    ({"tags": ["x" * MAX_TAG_LENGTH] * MAX_TAGS}, Labels("first try", ("x" * MAX_TAG_LENGTH,))),
]
BAD = [
    *[("note", value) for value in (1, True, [], {}, "a\nb", "a\x00", "x" * (MAX_NOTE_LENGTH + 1))],
    *[("tags", value) for value in ("v1", 1, True, {"v1": 1}, ("v1",), [f"v{n}" for n in range(MAX_TAGS + 1)])],
    *[("tags", [tag]) for tag in ("", " v1", "v1 ", "a,b", "a\nb", "x" * (MAX_TAG_LENGTH + 1), 1, None, ["v1"])],
]


@pytest.mark.parametrize(("given", "labels"), GOOD)
def test_labels(given: dict[str, object], labels: Labels) -> None:
    assert read_labels(given, WRITTEN) == labels


@pytest.mark.parametrize(("field", "value"), BAD)
def test_labels_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(BadRequest) as refused:
        read_labels({field: value}, WRITTEN)
    assert set(refused.value.details) == {field}
