"""Ledger transactions as values: balanced entries, and the hash chain over their canonical form. Pure.

The canonical form holds only what the same inputs reproduce (trading-rules.md section 7): no generated id and no wall
clock, so that a replay of the same day ends in the same head, byte for byte.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from marketdata.instruments import parse_symbol
from portfolio.money import MONEY_DECIMALS, MONEY_SCALE, PRICE_DECIMALS, QTY_DECIMALS, ZERO

GENESIS_HASH = "0" * 64
FORM = 2  # of the canonical form; a row keeps the number of the form that it was hashed in, so that old hashes stand
FIRST_FORM = 1  # of release 0.1: without descriptions and frames
MIN_ENTRIES = 2


class LedgerAccount(StrEnum):
    """The four accounts of a book."""

    CASH = "cash"
    SECURITIES = "securities"
    REALIZED_PL = "realized_pl"
    CAPITAL = "capital"


class LedgerKind(StrEnum):
    """What a ledger transaction books."""

    OPENING = "opening"
    BUY = "buy"
    SELL = "sell"
    SETTLEMENT = "settlement"


class SettlementReason(StrEnum):
    """Why an option position was settled, or could not be, at its contract's last close."""

    EXPIRED = "expired"
    NO_UNDERLYING_QUOTE = "no_underlying_quote"


class UnbalancedTransaction(ValueError):
    """Entries that do not make a transaction: a bug in booking, never an answer to a user."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One debit or one credit, USD; exactly one of the two is positive and the other zero."""

    account: LedgerAccount
    debit: Decimal = ZERO
    credit: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Frame:
    """The terms of a run, which its opening is hashed with: all are given, none generated; `policy` is JSON in one spelling.

    Its initial cash, and when it began, are in the opening transaction itself.
    """

    owner: str
    policy: str
    feed: str
    engine_version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """A balanced group of entries. `quote` is `Quote.contents()` of the quote it was decided on, or nothing.

    An opening has a `frame`.
    """

    sequence: int
    kind: LedgerKind
    at: datetime
    entries: Sequence[Entry]
    order_number: int | None = None
    symbol: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None
    quote: Sequence[str] = ()
    description: str = ""
    frame: Frame | None = None
    form: int = FORM


def debit(account: LedgerAccount, amount: Decimal) -> Entry:
    """A debit of `amount` USD; a negative amount is a credit."""
    return Entry(account, debit=amount) if amount >= 0 else Entry(account, credit=-amount)


def credit(account: LedgerAccount, amount: Decimal) -> Entry:
    """A credit of `amount` USD; a negative amount is a debit."""
    return debit(account, -amount)


def balanced(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that move money. Raises UnbalancedTransaction where debits and credits differ."""
    moving = tuple(entry for entry in entries if entry.debit or entry.credit)
    if sum(entry.debit - entry.credit for entry in moving):
        raise UnbalancedTransaction(f"debits and credits differ: {moving}")
    return moving


def may_lack_entries(symbol: str, qty: Decimal | None, price: Decimal | None) -> bool:
    """Whether a transaction of that size may move no money: its value rounds to nothing, or did together with what came before.

    It is sealed all the same, so that the chain holds every change of a position. (Rounding telescopes over an order, so what
    rounds to nothing is at most a whole unit.)
    """
    return qty is not None and price is not None and qty * price * parse_symbol(symbol).multiplier <= MONEY_SCALE


def canonical(transaction: Transaction) -> str:
    """The transaction as text that depends on nothing but its contents, in its form."""
    contents = [
        transaction.sequence,
        transaction.kind,
        instant(transaction.at),
        transaction.order_number,
        transaction.symbol,
        _fixed(transaction.qty, QTY_DECIMALS),
        _fixed(transaction.price, PRICE_DECIMALS),
        [
            [entry.account, _fixed(entry.debit, MONEY_DECIMALS), _fixed(entry.credit, MONEY_DECIMALS)]
            for entry in transaction.entries
        ],
        list(transaction.quote),
    ]
    if transaction.form > FIRST_FORM:
        contents += [transaction.description, astuple(transaction.frame) if transaction.frame else None]
    return json.dumps(contents, separators=(",", ":"))


def chain_hash(previous_hash: str, transaction: Transaction) -> str:
    """SHA-256, hex, over the previous transaction's hash and this one's canonical form."""
    return hashlib.sha256(f"{previous_hash}\n{canonical(transaction)}".encode()).hexdigest()


def spelled(policy: Mapping[str, Any]) -> str:
    """A policy as the JSON that is hashed."""
    return json.dumps(policy, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=1024)
def instant(at: datetime) -> str:
    """An exchange time in the one spelling that is hashed: UTC, microseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _fixed(value: Decimal | None, decimals: int) -> str | None:
    return None if value is None else f"{value:.{decimals}f}"
