"""The books checked from a second direction: rebuilt from the ledger and compared, row by row.

`verify_ledger` answers for the ledger alone; `audit_book` also compares cash, realized P/L, holds and positions with what the
ledger says. What needs orders and fills (holds, quantities) is added by `orders.audit`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from marketdata.evidence import as_quote
from papertrade.lib.postgres import one_instant
from portfolio import ledger
from portfolio.ledger import Entry, LedgerAccount, LedgerKind, Transaction
from portfolio.models import Book, LedgerTransaction
from portfolio.money import ZERO

CHUNK_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be: which row, and what about it."""

    row: str
    problem: str


@dataclass(slots=True)
class LedgerReport:
    """What verifying a ledger found. `head` is the hash that the ledger's own rows end in."""

    head: str = ledger.GENESIS_HASH
    transactions: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.differences


@dataclass(slots=True)
class _Rebuilt:
    """The books as the ledger tells them."""

    balances: dict[str, Decimal] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    realized: dict[str, Decimal] = field(default_factory=dict)


def verify_ledger(*, book: Book) -> LedgerReport:
    """Recompute every hash and balance of a book's ledger from its rows, as of one instant: the account may trade on."""
    with one_instant():
        report, _ = _read_ledger(Book.objects.get(pk=book.pk))
    return report


def audit_book(*, book: Book) -> list[Difference]:
    """Everything about a book that its ledger contradicts. Call it `one_instant` with reading the book."""
    report, rebuilt = _read_ledger(book)
    return [*report.differences, *_compare(book, rebuilt)]


def _read_ledger(book: Book) -> tuple[LedgerReport, _Rebuilt]:
    report, rebuilt = LedgerReport(), _Rebuilt()
    rows = (
        LedgerTransaction.objects.filter(book=book)
        .select_related("quote")
        .prefetch_related("entries")
        .order_by("sequence")
    )
    for row in rows.iterator(chunk_size=CHUNK_ROWS):
        report.transactions += 1
        for problem in _problems_of(row, report):
            report.differences.append(Difference(f"ledger transaction {row.sequence} of book {book.pk}", problem))
        report.head = row.hash
        _rebuild(row, rebuilt)
    for name, stored, found in (
        ("head", book.ledger_head, report.head),
        ("count", book.ledger_seq, report.transactions),
    ):
        if stored != found:
            report.differences.append(
                Difference(
                    f"book {book.pk}", f"its ledger {name} is {stored}, its rows say {found}: rows are missing or new"
                )
            )
    return report, rebuilt


def _problems_of(row: LedgerTransaction, report: LedgerReport) -> Iterator[str]:
    entries = list(row.entries.all())
    if row.sequence != report.transactions:
        yield f"comes where number {report.transactions} should be"
    if row.previous_hash != report.head:
        yield "does not follow from the transaction before it"
    if len(entries) < ledger.MIN_ENTRIES:
        yield f"has {len(entries)} entries"
    if sum(entry.debit - entry.credit for entry in entries):
        yield "does not balance"
    if ledger.chain_hash(row.previous_hash, as_transaction(row)) != row.hash:
        yield "is not what its hash says: it, an entry or its quote was changed"


def as_transaction(row: LedgerTransaction) -> Transaction:
    """A stored transaction as the value that was hashed."""
    return Transaction(
        sequence=row.sequence,
        kind=LedgerKind(row.kind),
        at=row.at,
        entries=[Entry(LedgerAccount(entry.account), entry.debit, entry.credit) for entry in row.entries.all()],
        order_number=row.order_number,
        symbol=row.symbol,
        qty=row.qty,
        price=row.price,
        quote=as_quote(row.quote).contents() if row.quote else (),
    )


def _rebuild(row: LedgerTransaction, rebuilt: _Rebuilt) -> None:
    for entry in row.entries.all():
        change = entry.debit - entry.credit
        rebuilt.balances[entry.account] = rebuilt.balances.get(entry.account, ZERO) + change
        if entry.account == LedgerAccount.SECURITIES:
            rebuilt.cost[row.symbol] = rebuilt.cost.get(row.symbol, ZERO) + change
        elif entry.account == LedgerAccount.REALIZED_PL:
            rebuilt.realized[row.symbol] = rebuilt.realized.get(row.symbol, ZERO) - change


def _compare(book: Book, rebuilt: _Rebuilt) -> Iterator[Difference]:
    for name, stored, told in (
        ("cash", book.cash, rebuilt.balances.get(LedgerAccount.CASH, ZERO)),
        ("realized P/L", book.realized_pl, -rebuilt.balances.get(LedgerAccount.REALIZED_PL, ZERO)),
    ):
        if stored != told:
            yield Difference(f"book {book.pk}", f"its {name} is {stored}, its ledger says {told}")
    stored_positions = {position.symbol: position for position in book.positions.all()}
    for symbol in sorted(rebuilt.cost.keys() | stored_positions.keys()):
        position = stored_positions.get(symbol)
        for name, stored, told in (
            ("cost", position.cost_basis if position else ZERO, rebuilt.cost.get(symbol, ZERO)),
            ("realized P/L", position.realized_pl if position else ZERO, rebuilt.realized.get(symbol, ZERO)),
        ):
            if stored != told:
                yield Difference(
                    f"position {symbol} of book {book.pk}", f"its {name} is {stored}, its ledger says {told}"
                )
