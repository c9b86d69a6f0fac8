"""The books checked from a second direction: the hash chain of each ledger, and what its entries come to.

Everything else that follows from other rows is compared by the statements of `portfolio.comparisons` and
`orders.comparisons`; `orders.audit` runs them all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, cast

import psycopg

from marketdata.quotes import Quote
from papertrade.lib.postgres import one_instant, raw_cursor
from portfolio import ledger
from portfolio.ledger import Entry, Frame, LedgerAccount, LedgerKind, Transaction
from portfolio.models import Book
from portfolio.money import ZERO
from portfolio.retention import put_away_months
from portfolio.seals import Seal
from portfolio.selectors import frame_of, last_equity, summaries

CHUNK_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be: which row, and what about it."""

    row: str
    problem: str


@dataclass(slots=True)
class LedgerReport:
    """What verifying a ledger found. `head` is the hash that its own rows end in; `sums` are debits less credits, USD."""

    head: str = ledger.GENESIS_HASH
    transactions: int = 0
    differences: list[Difference] = field(default_factory=list)
    sums: dict[str, Decimal] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.differences


@lru_cache(maxsize=4096)
def _contents(
    symbol: str,
    bid: Decimal | None,
    ask: Decimal | None,
    bid_size: Decimal | None,
    ask_size: Decimal | None,
    quoted_at: datetime,
    feed: str,
) -> tuple[str, ...]:
    """What a quote says, as it is hashed; a sweep books thousands of fills on one."""
    return Quote(symbol, bid, ask, bid_size, ask_size, quoted_at, feed, quoted_at, quoted_at).contents()


class StoredTransaction(NamedTuple):
    """A ledger transaction as it is stored, with its quote and, by line, its entries: the columns of `_LEDGER`.

    Whatever somebody wrote into it: its words may be none that the project knows.
    """

    book_id: int
    sequence: int
    kind: str
    at: datetime
    order_number: int | None
    symbol: str
    qty: Decimal | None
    price: Decimal | None
    description: str
    form: int
    previous_hash: str
    hash: str
    quote_symbol: str | None
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    quoted_at: datetime | None
    feed: str | None
    lines: list[int] | None
    accounts: list[str]
    debits: list[Decimal]
    credits: list[Decimal]

    @property
    def entries(self) -> list[Entry]:
        """Its entries by line."""
        if self.lines is None:
            return []
        columns = zip(self.accounts, self.debits, self.credits, strict=True)
        return [Entry(cast("LedgerAccount", account), debit, credit) for account, debit, credit in columns]

    def hashed(self, frame: Frame | None) -> Transaction:
        """The value whose hash it carries; an opening is hashed with the frame of its run."""
        quote: tuple[str, ...] = ()
        if self.quote_symbol is not None and self.quoted_at is not None:
            quote = _contents(
                self.quote_symbol, self.bid, self.ask, self.bid_size, self.ask_size, self.quoted_at, self.feed or ""
            )
        return Transaction(
            self.sequence, cast("LedgerKind", self.kind), self.at, self.entries, self.order_number, self.symbol, self.qty,
            self.price, quote, self.description, frame if self.kind == LedgerKind.OPENING else None, self.form,
        )  # fmt: skip


_LEDGER = """
    SELECT t.book_id, t.sequence, t.kind, t.at, t.order_number, t.symbol, t.qty, t.price, t.description, t.form,
           t.previous_hash, t.hash, q.symbol, q.bid, q.ask, q.bid_size, q.ask_size, q.quoted_at, q.feed,
           e.lines, e.accounts, e.debits, e.credits
    FROM unnest(%s::bigint[], %s::bigint[]) AS s (book_id, transactions)
    JOIN portfolio_ledgertransaction t ON t.book_id = s.book_id AND t.sequence > s.transactions
    LEFT JOIN marketdata_quoterecord q ON q.id = t.quote_id
    LEFT JOIN LATERAL (
        SELECT array_agg(line ORDER BY line) AS lines, array_agg(account ORDER BY line) AS accounts,
               array_agg(debit ORDER BY line) AS debits, array_agg(credit ORDER BY line) AS credits
        FROM portfolio_ledgerentry WHERE transaction_id = t.id
    ) AS e ON true
    ORDER BY t.book_id, t.sequence
"""


def verify_ledger(*, book: Book) -> LedgerReport:
    """Recompute every hash and balance of a book's ledger from its rows, as of one instant: the account may trade on."""
    with one_instant():
        current = Book.objects.select_related("generation").get(pk=book.pk)
        return verify_ledgers([current])[current.pk]


def verify_ledgers(
    books: Sequence[Book], *, sealed: Mapping[int, Seal] | None = None, between: Callable[[], None] = lambda: None
) -> dict[int, LedgerReport]:
    """Recompute every hash and balance of some ledgers, by book id, of those that are `sealed` from their seals on.

    Call it `one_instant` with reading the books. Rows are streamed, as a ledger may be larger than memory; `between` is called
    now and then, and may raise.
    """
    reports = {book.pk: _begun((sealed or {}).get(book.pk)) for book in books}
    frames = {book.pk: frame_of(book.generation) for book in books}
    with raw_cursor() as cursor, psycopg.ServerCursor(cursor.connection, "ledgers") as rows:
        rows.itersize = CHUNK_ROWS
        rows.execute(_LEDGER, [list(reports), [report.transactions for report in reports.values()]])
        for number, row in enumerate(map(StoredTransaction._make, rows)):
            if number % CHUNK_ROWS == 0:
                between()
            report = reports[row.book_id]
            report.transactions += 1
            for problem in _problems_of(row, report, frames[row.book_id]):
                report.differences.append(
                    Difference(f"ledger transaction {row.sequence} of book {row.book_id}", problem)
                )
            report.head = row.hash
            for entry in row.entries:
                report.sums[entry.account] = report.sums.get(entry.account, ZERO) + entry.debit - entry.credit
    for book in books:
        report = reports[book.pk]
        report.differences += _against_the_book(book, report)
    return reports


def _begun(seal: Seal | None) -> LedgerReport:
    """What is known of a ledger before its newer rows are read."""
    if seal is None:
        return LedgerReport()
    sums: dict[str, Decimal] = {
        LedgerAccount.CASH: Decimal(seal["cash"]),
        LedgerAccount.SECURITIES: Decimal(seal["cost"]),
        LedgerAccount.REALIZED_PL: -Decimal(seal["realized_pl"]),
    }
    return LedgerReport(seal["head"], seal["transactions"], sums=sums)


def _problems_of(row: StoredTransaction, report: LedgerReport, frame: Frame) -> Iterator[str]:
    entries = row.entries
    if row.sequence != report.transactions:
        yield f"comes where number {report.transactions} should be"
    if row.previous_hash != report.head:
        yield "does not follow from the transaction before it"
    if len(entries) < ledger.MIN_ENTRIES and (entries or not ledger.may_lack_entries(row.symbol, row.qty, row.price)):
        yield f"has {len(entries)} entries"
    elif (row.lines or []) != list(range(1, len(entries) + 1)):
        yield "has lost or moved a line"
    if sum(entry.debit - entry.credit for entry in entries):
        yield "does not balance"
    if ledger.chain_hash(row.previous_hash, row.hashed(frame)) != row.hash:
        also = ", or its generation's owner, policy, feed, engine version or reason" if row.sequence == 1 else ""
        yield f"is not what its hash says: it, an entry or its quote{also} was changed"


def _against_the_book(book: Book, report: LedgerReport) -> Iterator[Difference]:
    """What the book says of its ledger; chain and sums are compared here, as no statement can follow the chain."""
    for name, stored, found in (
        ("head", book.ledger_head, report.head),
        ("count", book.ledger_seq, report.transactions),
    ):
        if stored != found:
            yield Difference(
                f"book {book.pk}", f"its ledger {name} is {stored}, its rows say {found}: rows are missing or new"
            )
    for name, amount, told in (
        ("cash", book.cash, report.sums.get(LedgerAccount.CASH, ZERO)),
        ("realized P/L", book.realized_pl, -report.sums.get(LedgerAccount.REALIZED_PL, ZERO)),
    ):
        if amount != told:
            yield Difference(f"book {book.pk}", f"its {name} is {amount}, its ledger says {told}")


def closed_books(books: Sequence[Book]) -> Iterator[Difference]:
    """What closed generations keep as their summary, and the snapshot they closed with, beside their books."""
    closed = {book.pk: book for book in books if book.closed_at is not None}
    if not closed:
        return
    equity = last_equity(books=closed.values())
    for book_id, summary in summaries(books=closed.values()).items():
        generation, told = closed[book_id].generation, summary.as_json()
        name = f"generation {generation.number} of account {generation.account_id}"
        stored = generation.summary or {}
        for key in sorted(stored.keys() | told.keys()):
            # A summary of an earlier release may lack what was added since.
            if key not in told or (key in stored and stored[key] != told[key]) or not stored:
                yield Difference(name, f"its summary says {key} {stored.get(key)}, its book {told.get(key)}")
        if equity.get(book_id) != summary.equity and not (book_id not in equity and put_away_months().detached):
            yield Difference(
                f"book {book_id}",
                f"its positions at their last marks come to {summary.equity}, its last snapshot says {equity.get(book_id)}",
            )
