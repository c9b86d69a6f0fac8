"""Every "no" that the product says on purpose: a stable code, a sentence that says what to do, and data. Pure.

The lowest module of the project: each app raises these, and `papertrade.api.kit.errors` alone maps codes to HTTP.
"""

from collections.abc import Iterator, Mapping
from typing import Any


class PapertradeError(Exception):
    """A refusal with a wire code. Nothing was stored when one is raised; the surrounding transaction rolls back.

    `fields` are details whose names come from a request: as keywords, one named `code` would change the code.
    """

    code = "bad_request"

    def __init__(
        self, message: str, fields: Mapping[str, Any] | None = None, /, *, code: str | None = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.details = {**(fields or {}), **details}


class BadRequest(PapertradeError):
    """The request is not well formed. `details` maps each field to what is wrong with it; the message says it too."""

    code = "bad_request"

    def __init__(
        self, message: str, fields: Mapping[str, Any] | None = None, /, *, code: str | None = None, **details: Any
    ) -> None:
        problems = {**(fields or {}), **details}
        super().__init__(" ".join([message, *_sentences(problems)]), problems, code=code)


def _sentences(problems: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Each field with its problem, for clients that show nothing but the message."""
    for field, problem in problems.items():
        if isinstance(problem, dict):
            yield from _sentences(problem, f"{within}{field}.")
        else:
            yield f"{within}{field}: {problem}."


class NotFound(PapertradeError):
    """It does not exist, or it is somebody else's: the two look the same."""

    code = "not_found"


class Unprocessable(PapertradeError):
    """Understood, and not something that this version does: the code says which."""

    code = "unsupported_order"


class Conflict(PapertradeError):
    """The request does not fit the state that the thing is in: the code says which."""

    code = "conflict"


class Unavailable(PapertradeError):
    """Busy or broken for a moment; the same request may be sent again."""

    code = "unavailable"
