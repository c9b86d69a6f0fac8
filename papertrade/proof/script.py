"""A session as a script: what accounts asked for, when, and the ledgers that it left. Pure.

It is what `papertrade.proof.replay` reads from one database and plays on another, and travels between them as JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an account may request."""

    OPEN = "open"
    RESET = "reset"
    ARCHIVE = "archive"
    ORDER = "order"
    REPLACE = "replace"
    CANCEL = "cancel"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One request, as it was taken: `at` is exchange time, `seq` the number of its event in the account.

    `what` has the values of the request as JSON values; `order` is the number of the order that it is about.
    """

    at: datetime
    account: str
    seq: int
    kind: Kind = field(compare=False)
    what: dict[str, Any] = field(compare=False)
    order: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """The ledger of a run: the hash of each transaction, in order."""

    account: str
    generation: int
    hashes: list[str]


@dataclass(frozen=True, slots=True)
class Script:
    """All that a replay needs besides the quotes.

    `filled_on` are the quotes of the fills, as (symbol, time, bid, ask, bid size, ask size): a recording that lacks one is of
    another session. `left_out` says which accounts cannot be played, and why.
    """

    until: datetime
    requests: list[Request]
    chains: list[Chain]
    filled_on: list[list[str]]
    left_out: list[str]

    @property
    def begins(self) -> datetime:
        """When the first account was opened."""
        return min(request.at for request in self.requests)


def as_json(script: Script) -> str:
    """The script as text."""
    return json.dumps(asdict(script), default=datetime.isoformat)


def from_json(text: str) -> Script:
    """The script that `as_json` wrote."""
    value = json.loads(text)
    requests = [
        Request(**{**row, "at": datetime.fromisoformat(row["at"]), "kind": Kind(row["kind"])})
        for row in value["requests"]
    ]
    chains = [Chain(**row) for row in value["chains"]]
    until = datetime.fromisoformat(value["until"])
    return Script(until, requests, chains, value["filled_on"], value["left_out"])


def difference(was: Sequence[str], again: Sequence[str]) -> str:
    """Where two ledgers part, as the rest of a sentence; empty where their heads are equal."""
    if list(was) == list(again):
        return ""
    same = next((n for n, pair in enumerate(zip(was, again, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        return f"had {len(was)} transactions and has {len(again)} in the replay; those of both are equal"
    return f"parts at transaction {same + 1} of {len(was)}"
