"""What a migration's SQL locks, and whether it reads whole tables meanwhile. Pure: PostgreSQL's documentation as a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple


class Waits(IntEnum):
    """Who waits while a lock is held."""

    NOBODY = 0  # SHARE UPDATE EXCLUSIVE and weaker
    WRITERS = 1  # SHARE, SHARE ROW EXCLUSIVE
    EVERYBODY = 2  # ACCESS EXCLUSIVE


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on one table. `reads`: every row is read, indexed or rewritten while it is held; otherwise it takes an instant."""

    table: str
    waits: Waits
    reads: bool


class _Rule(NamedTuple):
    """What a statement locks. The first rule that matches counts; its group is the table."""

    pattern: re.Pattern[str]
    waits: Waits
    reads: bool


def _rule(pattern: str, waits: Waits, *, reads: bool = False) -> _Rule:
    return _Rule(
        re.compile(pattern.replace("NAME", r'(?:public\.)?"?(\w+)"?'), re.IGNORECASE | re.DOTALL), waits, reads
    )


ALTER = r"^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?NAME\b"
CREATED = re.compile(r'^CREATE TABLE (?:IF NOT EXISTS )?(?:public\.)?"?(\w+)"?', re.IGNORECASE)
VOLATILE = r"DEFAULT \(?(?:gen_random_uuid|clock_timestamp|random|nextval|timeofday|uuid\w*)\("
RULES = (
    _rule(r"^CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*? ON (?:ONLY )?NAME", Waits.NOBODY, reads=True),
    _rule(
        r"^CREATE (?:UNIQUE )?INDEX .*? ON ONLY NAME", Waits.WRITERS
    ),  # of a divided table: its parts' are made one by one
    _rule(r"^CREATE (?:UNIQUE )?INDEX .*? ON NAME", Waits.WRITERS, reads=True),
    _rule(r"^CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON NAME", Waits.WRITERS),
    _rule(r"^DROP TABLE (?:IF EXISTS )?NAME", Waits.EVERYBODY),
    _rule(r"^DROP TRIGGER (?:IF EXISTS )?\S+ ON NAME", Waits.EVERYBODY),
    _rule(r"^(?:UPDATE|DELETE FROM) (?:ONLY )?NAME", Waits.NOBODY, reads=True),
    _rule(rf"{ALTER}.*\bVALIDATE CONSTRAINT", Waits.NOBODY, reads=True),
    _rule(rf"{ALTER}.*\bNOT VALID", Waits.EVERYBODY),
    _rule(rf"{ALTER}.*\bFOREIGN KEY", Waits.WRITERS, reads=True),
    _rule(rf"{ALTER}.*\bUSING INDEX", Waits.EVERYBODY),
    _rule(
        rf"{ALTER}.*\b(?:CHECK|UNIQUE|PRIMARY KEY|EXCLUDE|SET NOT NULL|ATTACH PARTITION)\b", Waits.EVERYBODY, reads=True
    ),
    _rule(rf"{ALTER}.*\b(?:SET DATA TYPE|TYPE|GENERATED|{VOLATILE})", Waits.EVERYBODY, reads=True),
    _rule(ALTER, Waits.EVERYBODY),
)
_AT_ONCE = re.compile(r"\bDO (\$\w*\$)(.*?)\1", re.DOTALL)  # a block that runs here and now
_BEGINS = re.compile(
    r"\b(?:ALTER TABLE|CREATE (?:UNIQUE |OR REPLACE |CONSTRAINT )*(?:TABLE|INDEX|TRIGGER)|DROP|UPDATE|DELETE FROM)\b"
)
_BODY = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)  # of a function: it runs when it is called
_COMMENT = re.compile(r"--[^\n]*")


def locks_of(statements: str) -> list[Lock]:
    """The locks on tables that exist already, each once, in order; nobody waits for tables that are made here."""
    found: list[Lock] = []
    made: set[str] = set()
    checked = "VALIDATE CONSTRAINT" in statements  # then a partition is attached without a look at its rows
    for statement in _statements(statements):
        if match := CREATED.match(statement):
            made.add(match[1])
        elif (lock := _lock(statement)) is not None and lock.table not in made:
            found.append(replace(lock, reads=False) if checked and "ATTACH PARTITION" in statement else lock)
    return list(dict.fromkeys(found))


def at_once(locks: list[Lock]) -> list[Lock]:
    """The locks of one transaction, which keeps them all to its end: the strongest on each table."""
    found: dict[str, Lock] = {}
    for lock in locks:
        other = found.get(lock.table, lock)
        found[lock.table] = Lock(lock.table, max(lock.waits, other.waits), lock.reads or other.reads)
    return list(found.values())


def _statements(text: str) -> Iterator[str]:
    """Those that begin with one of the words above, without what stands before them in a block."""
    text = _AT_ONCE.sub(r";\2;", _COMMENT.sub("", text))
    for part in _BODY.sub("''", text).split(";"):
        statement = " ".join(part.split())
        if begin := _BEGINS.search(statement):
            yield statement[begin.start() :]


def _lock(statement: str) -> Lock | None:
    for pattern, waits, reads in RULES:
        if match := pattern.match(statement):
            return Lock(match[1], waits, reads)
    return None
