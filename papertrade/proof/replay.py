"""A live session played again: the accounts' own requests, on the recorded quotes, at speed 0, to the same ledger heads.

`write_script` reads the requests from the books of a live market. `play` sends them again on an empty database, in a recorded
market that begins with the first request, and compares the ledgers hash by hash: these cover quote, price and time of all that
was booked, and nothing that is generated (trading-rules.md section 7).
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max

from accounts.models import Generation, PaperAccount, User
from accounts.services import create_user
from marketdata import clock
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from orders.models import Fill, Order
from orders.replacing import replace
from orders.services import cancel, submit
from orders.states import CancelReason
from papertrade.lib.errors import PapertradeError
from papertrade.lib.postgres import one_instant
from papertrade.proof.script import Chain, Kind, Request, Script, difference
from papertrade.trading.accounts import archive_account, open_account, reset_account
from papertrade.trading.clock import advance
from portfolio.ledger import FORM
from portfolio.models import AccountEvent, Book, EventType, LedgerTransaction, Position
from portfolio.settlement import settle_by_hand

LIVE_FEED = "live:"
PLACED = {EventType.ORDER_SUBMITTED, EventType.ORDER_REJECTED}  # the first event of an order is one of these
OF_A_RUN = {EventType.ACCOUNT_OPENED: Kind.OPEN, EventType.ACCOUNT_RESET: Kind.RESET}


class CannotReplay(Exception):
    """There is nothing to compare; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one run; `problem` is empty where its ledger head is the same."""

    account: str
    generation: int
    transactions: int
    problem: str


def write_script(*, accounts: Collection[UUID] = (), until: datetime | None = None) -> Script:
    """What the accounts (all, where none is named) asked for up to an instant, by default as far as the market is.

    Raises CannotReplay.
    """
    with one_instant():
        reading = clock.read()
        if reading.market != clock.LIVE:
            raise CannotReplay(f"This server plays the {reading.market} market: there is no live session to replay.")
        # Where a step was cut short, part of what is due at `through` may not be done yet.
        done = reading.through if reading.through_book is None else reading.through - clock.JUST_BEFORE
        if until is not None and until > done:
            raise CannotReplay(f"The market is at {done.isoformat()}: nothing later can be replayed yet.")
        until = until or done
        chosen = PaperAccount.objects.filter(created_at__lte=until).order_by("created_at", "pk")
        if accounts:
            chosen = chosen.filter(pk__in=accounts)
        script = Script(until, [], [], [], [])
        for account in chosen:
            if problem := _obstacle(account):
                script.left_out.append(f"Account {account.pk} ({account.name}) cannot be replayed: {problem}.")
                continue
            script.requests.extend(_requests(account, until))
            script.chains.extend(_chains(str(account.pk), until))
            script.filled_on.extend(_filled_on(account, until))
    if not script.requests:
        raise CannotReplay("\n".join(["No account can be replayed.", *script.left_out]))
    script.requests.sort()
    return script


def _obstacle(account: PaperAccount) -> str:
    """Why an account cannot be played, or nothing."""
    for run in account.generations.order_by("number"):
        if not run.feed.startswith(LIVE_FEED):
            return f"its run {run.number} began in another market, {run.feed}"
        if run.engine_version != settings.PAPERTRADE_ENGINE_VERSION:
            here = settings.PAPERTRADE_ENGINE_VERSION
            return f"its run {run.number} was decided by engine {run.engine_version}, and this is {here}"
    if LedgerTransaction.objects.filter(book__account=account, form__lt=FORM).exists():
        return "part of its ledger was written by an older release, in another form"
    kept = AccountEvent.objects.filter(account=account).aggregate(rows=Count("pk"), last=Max("seq"))
    return "" if kept["rows"] == kept["last"] else "some of its events are gone"


def _requests(account: PaperAccount, until: datetime) -> Iterator[Request]:
    """The account's own requests, by number of event; what the market did to it is left out."""
    runs = {run.number: run for run in account.generations.all()}
    orders = {order.pk: order for order in Order.objects.filter(account=account).select_related("replaces")}
    placed = set()
    events = AccountEvent.objects.filter(account=account, at__lte=until).select_related("book").order_by("seq")
    for event in events.iterator():
        order = orders.get(event.order_id) if event.order_id else None
        kind, what, number = None, {}, None
        if event.type in OF_A_RUN:
            kind, what = OF_A_RUN[EventType(event.type)], _of_run(runs[event.book.generation_number])
        elif event.type == EventType.ACCOUNT_ARCHIVED:
            kind, what = Kind.ARCHIVE, {"reason": event.reason}
        elif event.type == EventType.POSITION_SETTLED and event.quote_id is None:
            kind, what = Kind.SETTLE, {"symbol": event.symbol, "price": _plain(event.price), "reason": event.reason}
        elif order is not None and event.type in PLACED and order.pk not in placed:
            placed.add(order.pk)
            kind, what, number = _of_order(order)
        elif (
            order is not None
            and event.type == EventType.ORDER_CANCELED
            and order.cancel_reason == CancelReason.REQUESTED
        ):
            kind, number = Kind.CANCEL, order.number
        if kind is not None:
            yield Request(event.at, str(account.pk), event.seq, kind, what, number)


def _of_run(run: Generation) -> dict[str, Any]:
    return {
        "owner": run.owner,
        "feed": run.feed,
        "initial_cash": _plain(run.initial_cash),
        "policy": run.policy,
        "reason": run.reason,
    }


def _of_order(order: Order) -> tuple[Kind, dict[str, Any], int]:
    """The request that made an order, and the number of the order that it is about: its own, or that of the one it replaced."""
    changes = {
        "qty": _plain(order.qty),
        "limit_price": _plain(order.limit_price),
        "time_in_force": order.time_in_force,
        "client_order_id": order.client_order_id,
    }
    if order.replaces is not None:
        return Kind.REPLACE, {**changes, "qty": _plain(order.qty + order.replaces.filled_qty)}, order.replaces.number
    terms = {
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "position_intent": order.position_intent or None,
        "extended_hours": order.extended_hours,
    }
    return Kind.ORDER, {**terms, **changes}, order.number


def _chains(account: str, until: datetime) -> list[Chain]:
    rows = LedgerTransaction.objects.filter(book__account=account, at__lte=until)
    hashes: dict[int, list[str]] = defaultdict(list)
    for generation, one in rows.order_by("book__generation_number", "sequence").values_list(
        "book__generation_number", "hash"
    ):
        hashes[generation].append(one)
    return [Chain(account, generation, chain) for generation, chain in hashes.items()]


def _filled_on(account: PaperAccount, until: datetime) -> list[list[str]]:
    fills = Fill.objects.filter(account=account, created_at__lte=until).select_related("quote")
    return [_contents(fill.quote) for fill in fills]


def _contents(quote: Any) -> list[str]:
    numbers = (quote.bid, quote.ask, quote.bid_size, quote.ask_size)
    return [quote.symbol, quote.quoted_at.isoformat(), *(_plain(number) or "" for number in numbers)]


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def check_recording(script: Script) -> None:
    """Raises CannotReplay unless the current market has the quotes that the accounts were filled on."""
    missing = {tuple(quote) for quote in script.filled_on}

    def passed(quote: Quote) -> None:
        missing.discard(tuple(_contents(quote)))

    current_market().feed.cursor().seek(script.until, whole=True, passed=passed)
    if missing:
        symbol, at, *_ = min(missing, key=lambda quote: quote[1])
        raise CannotReplay(
            f"The recording is not of this session, or not all of it: it lacks {len(missing)} of the quotes that orders were "
            f"filled on, the first one of {symbol} at {at}."
        )


@dataclass
class Stage:
    """The accounts of a replay, by the ids of the original ones; `stopped` says whose request was refused, and why."""

    accounts: dict[str, PaperAccount] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)

    def play(self, script: Script) -> list[Verdict]:
        """Send every request again, in the current market, which stands where the script begins. Raises CannotReplay."""
        for request in script.requests:
            _go_to(request.at)
            if request.account in self.stopped:
                continue
            try:
                self._ask(request)
            except PapertradeError as refusal:
                self.stopped[request.account] = (
                    f"{request.kind} at {request.at.isoformat()} was refused: {refusal.message}"
                )
        _go_to(script.until)
        return [self._judge(chain) for chain in script.chains]

    def _ask(self, request: Request) -> None:
        what = request.what
        if request.kind in (Kind.OPEN, Kind.RESET):
            self._begin_run(request)
            return
        account = self.accounts[request.account]
        if request.kind == Kind.ORDER:
            submit(account=account, payload=what)
        elif request.kind == Kind.REPLACE:
            replace(account=account, order_id=_order_id(account, request), payload=what)
        elif request.kind == Kind.CANCEL:
            cancel(account=account, order_id=_order_id(account, request))
        elif request.kind == Kind.ARCHIVE:
            archive_account(account=account, reason=what["reason"])
        else:
            position = Position.objects.get(book__account=account, symbol=what["symbol"], unsettled=True)
            price = Decimal(what["price"])
            settle_by_hand(position_id=position.pk, price=price, reason=what["reason"], at=clock.read().now)

    def _begin_run(self, request: Request) -> None:
        """Open a run. Its first ledger transaction names its owner and feed: those of the session, whatever plays it now."""
        what = request.what
        current_market().feed.name = what["feed"]
        run = {"initial_cash": what["initial_cash"], "policy": what["policy"]}
        user = User.objects.filter(username=what["owner"]).first()
        user = user or create_user(username=what["owner"], password=secrets.token_urlsafe())
        if request.kind == Kind.OPEN:
            self.accounts[request.account] = open_account(user=user, name=request.account, **run)
            return
        account = self.accounts[request.account]
        PaperAccount.objects.filter(pk=account.pk).update(user=user)  # who may have been renamed since the last run
        reset_account(account=account, confirm=True, reason=what["reason"], **run)

    def _judge(self, chain: Chain) -> Verdict:
        account, again = self.accounts.get(chain.account), []
        if account is not None:
            book = Book.objects.filter(account=account, generation_number=chain.generation)
            rows = LedgerTransaction.objects.filter(book__in=book).order_by("sequence")
            again = list(rows.values_list("hash", flat=True))
        problem = difference(chain.hashes, again)
        stopped = self.stopped.get(chain.account, "")
        return Verdict(chain.account, chain.generation, len(chain.hashes), "; ".join(filter(None, (problem, stopped))))


def _order_id(account: PaperAccount, request: Request) -> str:
    return str(Order.objects.get(account=account, number=request.order).pk)


def _go_to(at: datetime) -> None:
    try:
        if at > clock.read().now:
            advance(to=at)
    except PapertradeError as refusal:
        raise CannotReplay(refusal.message) from None
