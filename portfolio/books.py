"""A book under lock: what a use case changes in memory, and the rows that it leaves.

`store.lock_account` and `store.lock_books` load and lock, the methods here decide, `store.collect` hands the rows on. Nothing
in this module touches the database, so the same code serves one order and a sweep over thousands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from accounts.policy import Policy
from marketdata.instruments import Instrument
from marketdata.quotes import Quote
from portfolio import ledger, valuation
from portfolio.booking import FLAT, Booking, Holding, book_buy, book_opening, book_sell
from portfolio.ledger import Frame, LedgerKind
from portfolio.money import ZERO, ZERO_MONEY
from portfolio.rows import EntryRow, EventRow, TransactionRow

NEVER = datetime.min.replace(tzinfo=UTC)  # any quote marks a position that has no mark yet


class BrokenInvariant(RuntimeError):
    """The books would become wrong: a bug. The transaction rolls back and nothing is stored."""


@dataclass(slots=True)
class OpenPosition:
    """A position of a locked book. `mark` is USD per share: the position's own or its symbol's, whichever is later."""

    id: UUID
    instrument: Instrument
    holding: Holding
    held_qty: Decimal
    mark: Decimal
    mark_at: datetime
    expires_on: date | None
    unsettled: bool = False
    is_new: bool = False
    changed_at: datetime | None = None
    _valued: tuple[Decimal, Decimal] | None = None
    _value: Decimal = ZERO_MONEY

    @property
    def available_qty(self) -> Decimal:
        """What no open sell holds."""
        return self.holding.qty - self.held_qty

    @property
    def market_value(self) -> Decimal:
        """USD that selling it at its mark would bring; kept until quantity or mark change."""
        known = (self.holding.qty, self.mark)
        if self._valued != known:
            self._valued, self._value = known, valuation.market_value(*known, self.instrument.multiplier)
        return self._value


@dataclass(frozen=True, slots=True)
class PostedFill:
    """What posting a fill gave; `position_qty` is what is held after it."""

    realized_pl: Decimal
    transaction_id: UUID
    position_qty: Decimal


class Done(NamedTuple):
    """What an event says was done: `qty` at `price` (USD per share) for `amount` USD, and what it left.

    Of an order: what it has filled so far and what remains. Of the position: what is held.
    """

    qty: Decimal
    price: Decimal
    amount: Decimal
    position_qty: Decimal
    filled_qty: Decimal | None = None
    remaining_qty: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a book is worth, USD; `drawdown` a fraction."""

    at: datetime
    equity: Decimal
    cash: Decimal
    market_value: Decimal
    realized_pl: Decimal
    unrealized_pl: Decimal
    drawdown: Decimal


@dataclass(slots=True)
class OpenBook:
    """Cash, holds, counters and positions of one book, and the rows that wait to be written."""

    id: int
    account_id: UUID
    generation_id: UUID
    generation_number: int
    policy: Policy
    cash: Decimal
    held_cash: Decimal
    realized_pl: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    closed_trades: int
    winning_trades: int
    order_seq: int
    event_seq: int
    ledger_seq: int
    ledger_head: str
    last_at: datetime
    positions: dict[str, OpenPosition] = field(default_factory=dict)
    closed_at: datetime | None = None
    events: list[EventRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    transactions: list[TransactionRow] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    evidence: dict[UUID, Quote] = field(default_factory=dict)

    @property
    def buying_power(self) -> Decimal:
        """Cash less held cash, USD."""
        return self.cash - self.held_cash

    def advance_to(self, at: datetime) -> datetime:
        """Move the book's time to `at`, and return where it stands now: times in one book never go back."""
        self.last_at = max(self.last_at, at)
        return self.last_at

    def next_order_number(self) -> int:
        """Number an order that is about to be stored."""
        self.order_seq += 1
        return self.order_seq

    def hold_cash(self, change: Decimal) -> None:
        """Reserve cash for an open buy, or release it where `change` is negative. Raises BrokenInvariant."""
        self.held_cash += change
        if not 0 <= self.held_cash <= self.cash:
            raise BrokenInvariant(f"book {self.id} would hold {self.held_cash} of {self.cash} cash")

    def hold_qty(self, symbol: str, change: Decimal, at: datetime) -> None:
        """Reserve quantity for an open sell, or release it where `change` is negative. Raises BrokenInvariant."""
        position = self.positions[symbol]
        position.held_qty += change
        position.changed_at = at
        if not 0 <= position.held_qty <= position.holding.qty:
            raise BrokenInvariant(f"book {self.id} would hold {position.held_qty} of {position.holding.qty} {symbol}")

    def keep(self, quote: Quote | None) -> UUID | None:
        """Keep the quote as evidence, and return its id."""
        if quote is None:
            return None
        quote_id = quote.id
        self.evidence[quote_id] = quote
        return quote_id

    def record(
        self,
        event: str,
        at: datetime,
        *,
        order_id: UUID | None = None,
        order_status: str = "",
        symbol: str = "",
        reason: str = "",
        fill_id: UUID | None = None,
        quote: Quote | None = None,
        done: Done | None = None,
    ) -> int:
        """Append an event of the account, and return its number."""
        self.event_seq += 1
        self.events.append(
            EventRow(
                account_id=self.account_id,
                book_id=self.id,
                seq=self.event_seq,
                type=event,
                at=at,
                order_id=order_id,
                order_status=order_status,
                symbol=symbol,
                reason=reason,
                fill_id=fill_id,
                quote_id=self.keep(quote),
                **(done._asdict() if done else {}),
            )
        )
        return self.event_seq

    def open(self, initial_cash: Decimal, at: datetime, frame: Frame) -> None:
        """Fund a new book; the frame of its run goes into the hash."""
        self.cash = initial_cash
        opening = ledger.Transaction(
            self.ledger_seq + 1, LedgerKind.OPENING, at, book_opening(initial_cash), frame=frame
        )
        self._append(opening, None)
        self.snapshot(at)

    def buy(
        self,
        instrument: Instrument,
        qty: Decimal,
        amount: Decimal,
        *,
        quote: Quote,
        price: Decimal,
        order_number: int,
        at: datetime,
    ) -> PostedFill:
        """Book a bought fill of `amount` USD."""
        position = self.positions.get(instrument.symbol) or self._new_position(instrument)
        booking = book_buy(position.holding, qty, amount)
        return self._post(position, booking, LedgerKind.BUY, qty, price, quote, order_number, at)

    def sell(
        self,
        instrument: Instrument,
        qty: Decimal,
        proceeds: Decimal,
        *,
        quote: Quote,
        price: Decimal,
        order_number: int,
        at: datetime,
    ) -> PostedFill:
        """Book a sold fill of `proceeds` USD. Raises OversoldHolding."""
        position = self.positions[instrument.symbol]
        booking = book_sell(position.holding, qty, proceeds)
        return self._post(position, booking, LedgerKind.SELL, qty, price, quote, order_number, at)

    def settle(
        self,
        symbol: str,
        proceeds: Decimal,
        *,
        quote: Quote | None,
        price: Decimal,
        at: datetime,
        description: str = "",
    ) -> PostedFill:
        """End an expired option position at `price` USD per share; `quote` is the stock quote it was judged by."""
        position = self.positions[symbol]
        booking = book_sell(position.holding, position.holding.qty, proceeds)
        position.unsettled = False
        qty = position.holding.qty
        return self._post(position, booking, LedgerKind.SETTLEMENT, qty, price, quote, None, at, description)

    def mark(self, marks: Mapping[str, tuple[Decimal, datetime]]) -> None:
        """Take newer marks, (USD per share, quoted at) by symbol, for the positions that have one."""
        for symbol, position in self.positions.items():
            mark = marks.get(symbol)
            if mark is not None and mark[1] >= position.mark_at:
                position.mark, position.mark_at = mark

    def snapshot(self, at: datetime) -> Snapshot:
        """Append what the book is worth now, and remember the peak."""
        snapshot = self.value(at)
        self.peak_equity = max(self.peak_equity, snapshot.equity)
        self.max_drawdown = max(self.max_drawdown, snapshot.drawdown)
        self.snapshots.append(snapshot)
        return snapshot

    def value(self, at: datetime) -> Snapshot:
        """What the book is worth now; changes nothing."""
        market_value = sum((position.market_value for position in self.positions.values()), ZERO_MONEY)
        cost_basis = sum((position.holding.cost_basis for position in self.positions.values()), ZERO_MONEY)
        equity = self.cash + market_value
        return Snapshot(
            at=at,
            equity=equity,
            cash=self.cash,
            market_value=market_value,
            realized_pl=self.realized_pl,
            unrealized_pl=market_value - cost_basis,
            drawdown=valuation.drawdown(peak=max(self.peak_equity, equity), equity=equity),
        )

    def close(self, at: datetime) -> None:
        """End the book; holds must be released before."""
        self.closed_at = at
        for position in self.positions.values():
            position.changed_at = at  # freezes its mark in the row

    def _new_position(self, instrument: Instrument) -> OpenPosition:
        position = OpenPosition(
            id=uuid7(),
            instrument=instrument,
            holding=FLAT,
            held_qty=ZERO,
            mark=ZERO,
            mark_at=NEVER,
            expires_on=instrument.expiry,
            is_new=True,
        )
        self.positions[instrument.symbol] = position
        return position

    def _post(
        self,
        position: OpenPosition,
        booking: Booking,
        kind: LedgerKind,
        qty: Decimal,
        price: Decimal,
        quote: Quote | None,
        order_number: int | None,
        at: datetime,
        description: str = "",
    ) -> PostedFill:
        position.holding = booking.holding
        position.changed_at = at
        self.cash += booking.cash_change
        self.realized_pl += booking.realized_pl
        self.closed_trades += booking.closed_trade
        self.winning_trades += booking.won_trade
        if self.cash < 0:
            raise BrokenInvariant(f"book {self.id} would have {self.cash} cash")
        transaction = ledger.Transaction(
            self.ledger_seq + 1,
            kind,
            at,
            booking.entries,
            order_number,
            position.instrument.symbol,
            qty,
            price,
            quote.contents() if quote else (),
            description,
        )
        return PostedFill(booking.realized_pl, self._append(transaction, quote), booking.holding.qty)

    def _append(self, transaction: ledger.Transaction, quote: Quote | None) -> UUID:
        transaction_id = uuid7()
        previous, self.ledger_head = self.ledger_head, ledger.chain_hash(self.ledger_head, transaction)
        self.ledger_seq = transaction.sequence
        self.entries += [
            EntryRow(transaction_id, line, entry.account, entry.debit, entry.credit)
            for line, entry in enumerate(transaction.entries, start=1)
        ]
        self.transactions.append(
            TransactionRow(
                id=transaction_id,
                book_id=self.id,
                sequence=transaction.sequence,
                kind=transaction.kind,
                at=transaction.at,
                order_number=transaction.order_number,
                symbol=transaction.symbol,
                qty=transaction.qty,
                price=transaction.price,
                quote_id=self.keep(quote),
                description=transaction.description,
                form=transaction.form,
                previous_hash=previous,
                hash=self.ledger_head,
            )
        )
        return transaction_id
