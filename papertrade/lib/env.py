"""Settings from the environment: one reader per kind, which fails loudly and says what it wants.

Every variable that is read is listed in `SEEN`. An unknown PAPERTRADE_ variable that is nearly one of them is taken for a typo
and refused; any other may belong to a newer release from which somebody went back to this one, and is only mentioned.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

Value = TypeVar("Value")

SEEN: dict[str, str] = {}
PREFIX = "PAPERTRADE_"
TYPOS = 2
DIFFERENT_CHARACTERS = 5  # as Django wants of its secret key
SERVERS = ("DATABASE_URL", "REDIS_URL")
OWNER = "DATABASE_OWNER_URL"  # of the role that owns the tables; read where it is used, by the commands that need it
# Of libpq's connection parameters those that say how to reach a server; what a session does there is the settings' own.
DATABASE_PARAMETERS = (
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "target_session_attrs", "application_name",
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
)  # fmt: skip
SERVERS_FILE = "servers.json"  # in the var folder while `make run` runs: the urls of its servers by variable


class BadSetting(SystemExit):
    """A variable that cannot be used. Ends the process with the sentence that says why."""


def read(name: str, default: Value, parse: Callable[[str], Value], wanted: str, *, is_secret: bool = False) -> Value:
    """The variable's value, or the default where it is unset or empty. Raises BadSetting, which repeats no secret."""
    SEEN[name] = wanted
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except (ValueError, InvalidOperation):
        given = name if is_secret else f"{name}={text!r}"
        raise BadSetting(f"{given} cannot be used: it must be {wanted}.") from None


def text(name: str, default: str = "") -> str:
    """Any text."""
    return read(name, default, str, "text")


def secret(name: str, *, characters: int) -> str:
    """Text of at least so many characters, so that nobody guesses it; empty where it is unset."""

    def parse(given: str) -> str:
        if len(given) < characters or len(set(given)) < DIFFERENT_CHARACTERS or not given.isascii():
            raise ValueError
        return given

    return read(name, "", parse, f"at least {characters} random ASCII characters", is_secret=True)


def whole(name: str, default: int, *, low: int = 0, high: int = 10**9) -> int:
    """A whole number within bounds."""

    def parse(given: str) -> int:
        number = int(given)
        if not low <= number <= high:
            raise ValueError
        return number

    return read(name, default, parse, f"a whole number from {low} to {high}")


def number(name: str, default: str, *, high: int = 1_000_000) -> Decimal:
    """A decimal number of at least 0."""

    def parse(given: str) -> Decimal:
        value = Decimal(given)
        if not value.is_finite() or not 0 <= value <= high:
            raise ValueError
        return value

    return read(name, Decimal(default), parse, f"a number from 0 to {high}")


def switch(name: str, default: bool) -> bool:
    """true or false."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

    def parse(given: str) -> bool:
        if given.lower() not in words:
            raise ValueError
        return words[given.lower()]

    return read(name, default, parse, "true or false")


def choice(name: str, default: str, words: tuple[str, ...]) -> str:
    """One of some words."""

    def parse(given: str) -> str:
        if given not in words:
            raise ValueError
        return given

    return read(name, default, parse, "one of " + ", ".join(words))


def words(name: str, default: str) -> list[str]:
    """Words separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def instant(name: str) -> datetime | None:
    """An ISO date or time; without an offset it is UTC."""

    def parse(given: str) -> datetime | None:
        value = datetime.fromisoformat(given)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    return read(name, None, parse, "an ISO 8601 date or time such as 2013-10-07 or 2013-10-07T13:30:00Z")


def address(name: str) -> tuple[str, int] | None:
    """A host and a port such as 127.0.0.1:9108 or [::1]:9108; None where it is unset."""

    def parse(given: str) -> tuple[str, int]:
        host, _, port = given.rpartition(":")
        number = int(port)
        if not host or not 1 <= number <= 65_535:
            raise ValueError
        return host.removeprefix("[").removesuffix("]"), number

    return read(name, None, parse, "an address and a port such as 127.0.0.1:9108")


def limit(name: str, default: int | None, *, low: int = 1, high: int = 10**9) -> int | None:
    """A whole number within bounds, or None for `unlimited`."""

    def parse(given: str) -> int | None:
        if given == "unlimited":
            return None
        number = int(given)
        if not low <= number <= high:
            raise ValueError
        return number

    return read(name, default, parse, f"a whole number from {low} to {high}, or unlimited")


def server_url(name: str, var: Path) -> str:
    """The url of one of SERVERS: from the environment, else of the server that runs on the var folder, else empty."""
    try:
        running = json.loads((var / SERVERS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        running = {}
    return text(name, running.get(name, ""))


def owner_url(var: Path) -> str:
    """The url of OWNER; empty where one role does everything. The folder's owner is not that of a database named elsewhere."""
    return text(OWNER) or ("" if os.environ.get("DATABASE_URL", "").strip() else server_url(OWNER, var))


def database(url: str) -> tuple[dict[str, str], dict[str, str]]:
    """Django's NAME, USER, PASSWORD, HOST and PORT, and libpq's parameters, from DATABASE_URL. Raises BadSetting."""
    wanted = "DATABASE_URL must be postgresql://user:password@host:port/name"  # the url itself holds a password
    try:
        parts = urlsplit(url)
        port = parts.port
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise BadSetting(f"{wanted}, perhaps with ?name=value&name=value.") from None
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise BadSetting(f"{wanted}.")
    if unknown := sorted(parameters.keys() - set(DATABASE_PARAMETERS)):
        raise BadSetting(f"DATABASE_URL has {', '.join(unknown)}; it may have {', '.join(DATABASE_PARAMETERS)}.")
    place = {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(port or ""),
    }
    return place, parameters


def refuse_typos() -> None:
    """Raises BadSetting for a PAPERTRADE_ variable that is nearly a setting; names other unknown ones on standard error."""
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in SEEN)
    for name in unknown:
        if meant := [known for known in sorted(SEEN) if is_typo(name, known)]:
            raise BadSetting(
                f"There is no setting {name}: is it {' or '.join(meant)}? docs/configuration.md lists them."
            )
    if unknown:
        print(
            f"This release has no setting {', '.join(unknown)}: ignored. docs/configuration.md lists those that it has.",
            file=sys.stderr,
        )


def is_typo(given: str, meant: str) -> bool:
    """Whether at most TYPOS insertions, deletions, substitutions and swaps of neighbours make one of the other.

    The optimal string alignment distance (Damerau and Levenshtein).
    """
    before, row = [], list(range(len(meant) + 1))
    for place, letter in enumerate(given, start=1):
        before, above, row = row, before, [place]
        for other, wanted in enumerate(meant, start=1):
            steps = min(before[other] + 1, row[-1] + 1, before[other - 1] + (letter != wanted))
            exchanged = place > 1 and other > 1 and (letter, given[place - 2]) == (meant[other - 2], wanted)
            row.append(min(steps, above[other - 2] + 1) if exchanged else steps)
    return row[-1] <= TYPOS
