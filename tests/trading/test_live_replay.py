"""Random live sessions: recorded, and played again at speed 0 they leave the same fills, orders and ledger heads.

Quotes come late, early, crossed, one-sided and without size; two leaders die, one of them between recording and doing; steps end
after each book, the close too, and requests come in between, also while nobody leads. In every session, whatever happens:
- record and replay are equal, event by event, order by order and head by head;
- nobody is given more of a price than was displayed while it stood;
- no order is filled by a quote from before it was sent.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from accounts.models import PaperAccount
from marketdata.feeds.live.protocol import RawQuote
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report
from marketdata.quotes import Quote
from orders import working
from orders.models import IS_OPEN, Fill, Order
from orders.sweeps import sweeping
from papertrade.lib.errors import Conflict, Unavailable, Unprocessable
from papertrade.proof.replay import Stage, check_recording, write_script
from papertrade.proof.script import Kind, as_json, from_json
from portfolio.models import AccountEvent, Book
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.live_kit import FEED, LiveKit
from tests.market_kit import MarketKit, at

SYMBOLS = ["IBM", "BAC", "AIG"]
DESKS = 4
START, END = at("13:29:52"), at("13:30:36")
OUTAGE = (at("13:30:13"), at("13:30:16"))
DIES_BETWEEN_STEPS, DIES_IN_A_STEP = at("13:30:09"), at("13:30:24")
BEFORE_THE_CLOSE, AFTER_THE_CLOSE = at("19:59:59.2"), at("20:00:00.8")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Session:
    """A live market of three stocks and four desks that trade at random."""

    live: LiveKit
    rng: random.Random
    asked: Counter[Kind] = field(default_factory=Counter)
    prices: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 10_000))
    deaths: int = 0
    left_over: int = 0

    def __post_init__(self) -> None:
        self.desks = [Desk(UserFactory(), "5000000") for _ in range(DESKS)]
        self.asked[Kind.OPEN] = DESKS

    def run(self) -> None:
        dies_at = [DIES_IN_A_STEP, DIES_BETWEEN_STEPS]
        self._trade_until(END, dies_at)
        self.live.wall = BEFORE_THE_CLOSE
        self._trade_until(AFTER_THE_CLOSE, [])
        self.live.pass_time(seconds=0.2)
        while not self.live.step():
            pass
        self.live.end()

    def _trade_until(self, end: datetime, dies_at: list[datetime]) -> None:
        while self.live.wall < end:
            self.live.pass_time(microseconds=self.rng.randrange(20_000, 400_000))
            self._quote()
            if self.rng.random() < 0.5:
                dies = dies_at and self.live.wall > dies_at[-1]
                self._step(dies_in_it=bool(dies) and len(dies_at) == 1)
                if dies and (len(dies_at) == 2 or self.deaths):
                    dies_at.pop()
                    self._go_on_without_a_leader()
                self.live.pass_time(microseconds=self.rng.randrange(1, 50_000))
            if self.rng.random() < 0.5:
                self._trade()

    def _go_on_without_a_leader(self) -> None:
        """Until another one leads, and has not made a step yet."""
        for _ in range(5):
            self.live.pass_time(seconds=0.3)
            self._trade()
        self.live.lead()
        for _ in range(3):
            self.live.pass_time(seconds=0.01)
            self._trade()

    def _quote(self) -> None:
        if OUTAGE[0] < self.live.wall < OUTAGE[1]:
            return
        rng = self.rng
        for symbol in SYMBOLS:
            if rng.random() < 0.6:
                self.prices[symbol] += rng.randrange(-6, 7)
                mid, half = self.prices[symbol], rng.randrange(0, 5)
                low = mid + 3 if rng.random() < 0.03 else mid - half  # sometimes crossed
                stamp = self.live.wall - timedelta(microseconds=rng.randrange(-1_400_000, 900_000))
                bid = None if rng.random() < 0.02 else Decimal(low) / 100
                sizes = (Decimal(20 * rng.randrange(0, 4)) for _ in range(2))
                self.live.feed.intake.hear([RawQuote(symbol, bid, Decimal(mid + half) / 100, *sizes, stamp, FEED)])

    def _step(self, *, dies_in_it: bool) -> None:
        if not dies_in_it:
            self.left_over += not self.live.step(seconds=self.rng.choice([None, 0]))
            return
        with patch.object(working, "put", side_effect=Killed):
            try:
                self.live.step()
            except Killed:
                self.deaths += 1

    def _trade(self) -> None:
        rng = self.rng
        desk, symbol = rng.choice(self.desks), rng.choice(SYMBOLS)
        near = str(Decimal(self.prices[symbol] + rng.randrange(-12, 13)) / 100)
        what = rng.random()
        order = Order.objects.filter(IS_OPEN, account=desk.account).order_by("number").first()
        if what < 0.02 and desk.book.orders.exists():  # that of a fresh run changes nothing
            self._ask(Kind.RESET, lambda: desk.reset(reason="once more"))
        elif what < 0.15 and order is not None:
            self._ask(Kind.CANCEL, lambda: desk.cancel(order))
        elif what < 0.25 and order is not None and order.limit_price is not None:
            self._ask(Kind.REPLACE, lambda: desk.replace(order, qty=str(order.qty + rng.randrange(1, 9))))
        else:
            terms = {"side": rng.choice(["buy", "buy", "sell"]), "time_in_force": rng.choice(["day", "gtc"])}
            qty, limit = str(rng.randrange(1, 60)), rng.choice([None, near])
            self._ask(Kind.ORDER, lambda: desk.buy(qty, limit, symbol, **terms))

    def _ask(self, kind: Kind, ask: Callable[[], object]) -> None:
        with suppress(Unavailable, Conflict, Unprocessable):  # nobody leads, or the order has been filled, for instance
            ask()
            self.asked[kind] += 1


def outcome(account: PaperAccount) -> tuple[object, ...]:
    """Everything that must be the same."""
    orders = Order.objects.filter(account=account).order_by("number")
    numbers = {order.pk: order.number for order in orders}
    events = AccountEvent.objects.filter(account=account).order_by("seq")
    said = events.values_list(
        "order_id", "seq", "type", "at", "order_status", "symbol", "reason", "quote_id", "qty", "price"
    )
    fills = Fill.objects.filter(account=account).select_related("order").order_by("seq")
    return (
        list(Book.objects.filter(account=account).order_by("pk").values_list("ledger_head", flat=True)),
        [(o.number, o.status, o.filled_qty, o.reason, o.no_fill_reason, o.filled_at) for o in orders],
        [(f.seq, f.symbol, f.order.number, f.qty, f.price, f.created_at) for f in fills],
        [(numbers.get(order_id), *rest) for order_id, *rest in said],
    )


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(2, 10))])
def test_a_session_and_its_replay(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, market_kit: MarketKit, seed: int
) -> None:
    monkeypatch.setattr(working, "CHUNK_ORDERS", 1)
    monkeypatch.setattr(sweeping, "BRIEF_CHUNK_ORDERS", 1)
    monkeypatch.setattr("orders.catching_up.PATIENCE_SECONDS", 0)
    session = Session(LiveKit(settings, monkeypatch, tmp_path / "live", start=START), random.Random(seed))
    session.run()
    live = [outcome(desk.account) for desk in session.desks]
    fills = list(Fill.objects.select_related("order", "quote").order_by("seq"))
    assert session.deaths == 1 and session.left_over and len(fills) > 20, "there was something to compare"
    no_supply_twice(fills, session.live.folder)
    by_what_stood(fills, session.live.folder)
    for fill in fills:
        assert fill.created_at >= fill.order.submitted_at
        assert fill.created_at - fill.quote.quoted_at >= timedelta(seconds=-1)
    for desk in session.desks:
        check_account(desk.account)

    script = from_json(as_json(write_script()))
    assert script.left_out == []
    assert Counter(one.kind for one in script.requests) == session.asked, "each request is in the script, once"
    monkeypatch.undo()
    market_kit.play_files(session.live.folder, start=script.begins.isoformat())
    check_recording(script)
    stage = Stage()
    verdicts = stage.play(script)
    assert [one.problem for one in verdicts] == [""] * (DESKS + session.asked[Kind.RESET])
    played = [stage.accounts[str(desk.account.pk)] for desk in session.desks]
    for number, (was, again) in enumerate(zip(live, map(outcome, played), strict=True)):
        assert was[3] == again[3], f"events of desk {number}"
        assert was[1] == again[1], f"orders of desk {number}"
        assert was[2] == again[2], f"fills of desk {number}"
        assert was[0] == again[0], f"head of desk {number}"


def by_what_stood(fills: list[Fill], recording: Path) -> None:
    """Each by the latest quote that had been taken: by none that another had superseded, be it before the order was sent."""
    rows = list(RecordedFeed(recording).rows(Report()))
    for fill in fills:
        *_, row = (row for row in rows if row.symbol == fill.symbol and row.at <= fill.created_at)
        evidence = (fill.quote.quoted_at, fill.quote.bid, fill.quote.ask)
        assert evidence == (row.quoted_at, row.bid, row.ask), fill.seq


def no_supply_twice(fills: list[Fill], recording: Path) -> None:
    """What each book took of a price since it was set is at most the most that was displayed of it while it stood."""
    displayed: dict[tuple[str, str, Decimal, datetime], Decimal] = defaultdict(Decimal)
    latest: dict[str, Quote] = {}
    for row in RecordedFeed(recording).rows(Report()):
        quote = latest[row.symbol] = row.follow(latest.get(row.symbol), feed=FEED)
        for side, price, size, since in (
            ("buy", quote.ask, quote.ask_size, quote.ask_since),
            ("sell", quote.bid, quote.bid_size, quote.bid_since),
        ):
            if price is not None and size is not None:
                key = (quote.symbol, side, price, since)
                displayed[key] = max(displayed[key], size)
    taken: Counter[tuple[int, str, str, Decimal, datetime]] = Counter()
    for fill in fills:
        taken[fill.book_id, fill.symbol, fill.side, fill.price, fill.price_since] += fill.qty
    for (_, *key), qty in taken.items():
        assert qty <= displayed[tuple(key)], key
