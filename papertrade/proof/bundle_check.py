"""Check an audit bundle without a server: `python check.py bundle.zip`. Needs Python 3.11 or newer and nothing else.

It recomputes what the bundle claims: the hash of each file, of each quote, and of the chain over each ledger; that every
transaction balances; cash, realized P/L and positions from the ledger and the fills; holds from the terms of open orders;
times and reasons from the events; that no fill is better than its quote or another than the ledger booked; that no event is
missing; what a run began with and came to. Each bundle has a copy of this file, which reads those of every format.
"""

import hashlib
import io
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal, getcontext
from typing import Any
from uuid import UUID

FORMAT = 2
MANIFEST = "manifest.json"
GENESIS = "0" * 64
FILES = {"account", "generations", "books", "orders", "events", "fills", "positions", "snapshots", "quotes", "ledger"}
OPEN = {"accepted", "new", "partially_filled"}
REASONS = {"requested", "reset", "archived", "insufficient_buying_power", "position_limit_exceeded"}
MONEY, RATIO = Decimal("0.0001"), Decimal("0.000001")
getcontext().prec = 60  # a product of the largest quantity and price is exact
CHECKS: list[Callable[["Bundle"], Iterator[str]]] = []


def check(function: Callable[["Bundle"], Iterator[str]]) -> Callable[["Bundle"], Iterator[str]]:
    """Make it one of the checks."""
    CHECKS.append(function)
    return function


class Bundle:
    """The files of a bundle; rows are read as they are asked for."""

    def __init__(self, path: str) -> None:
        self.zip = zipfile.ZipFile(path)
        self.manifest = json.loads(self.zip.read(MANIFEST))

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        with self.zip.open(f"{name}.jsonl") as file:
            for line in io.TextIOWrapper(file, encoding="utf-8"):
                yield json.loads(line)


def problems(path: str) -> Iterator[str]:
    """What is wrong with the bundle, naming the row."""
    try:
        bundle = Bundle(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        yield f"{path}: not a bundle: {error}"
        return
    form = bundle.manifest.get("format") if isinstance(bundle.manifest, dict) else None
    if form not in range(1, FORMAT + 1):
        yield f"{path}: is of a format that this check does not know; take the check.py out of the bundle"
        return
    for function in CHECKS:
        try:
            yield from function(bundle)
        except (KeyError, ValueError, TypeError, ArithmeticError, zipfile.BadZipFile) as error:
            yield f"{function.__name__}: a row cannot be read: {error!r}"


@check
def files(bundle: Bundle) -> Iterator[str]:
    """No file is missing, and every file is the one that the manifest names."""
    missing = {f"{name}.jsonl" for name in FILES} - set(bundle.manifest["files"])
    if missing:
        yield f"{', '.join(sorted(missing))}: missing"
    for name, told in bundle.manifest["files"].items():
        digest, rows = hashlib.sha256(), 0
        with bundle.zip.open(name) as file:
            for line in file:
                digest.update(line)
                rows += 1
        if digest.hexdigest() != told["sha256"] or rows != told["rows"]:
            yield f"{name}: is not the file that was exported"
    unknown = set(bundle.zip.namelist()) - set(bundle.manifest["files"]) - {MANIFEST}
    if unknown:
        yield f"{', '.join(sorted(unknown))}: not in the manifest"


@check
def quotes(bundle: Bundle) -> Iterator[str]:
    """Every quote is named by the hash of its contents."""
    for quote in bundle.rows("quotes"):
        digest = hashlib.sha256("\n".join(quote["contents"]).encode()).digest()
        if str(UUID(bytes=digest[:16])) != quote["id"]:
            yield f"quote {quote['id']}: was changed"


@check
def ledger(bundle: Bundle) -> Iterator[str]:
    """Every transaction balances and follows from the one before; each book ends in its head, cash and realized P/L."""
    contents = {quote["id"]: quote["contents"] for quote in bundle.rows("quotes")}
    runs = {row["id"]: row for row in bundle.rows("generations")}
    frames = {book["id"]: _frame(runs[book["generation"]]) for book in bundle.rows("books")}
    heads: dict[int, str] = defaultdict(lambda: GENESIS)
    counts: dict[int, int] = defaultdict(int)
    sums: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for row in bundle.rows("ledger"):
        book, name = row["book"], f"ledger transaction {row['sequence']} of book {row['book']}"
        counts[book] += 1
        if row["sequence"] != counts[book]:
            yield f"{name}: comes where number {counts[book]} should be"
        if row["previous_hash"] != heads[book]:
            yield f"{name}: does not follow from the one before"
        few = len(row["entries"]) < 2 and (row["entries"] or not _rounds_to_nothing(row))
        if few or sum((Decimal(dr) - Decimal(cr) for _, dr, cr in row["entries"]), Decimal(0)):
            yield f"{name}: is not at least two entries that balance"
        if row["quote"] is not None and row["quote"] not in contents:
            yield f"{name}: its quote {row['quote']} is not in the bundle"
        if _chain_hash(row, contents.get(row["quote"], []), frames[book]) != row["hash"]:
            also = ": it, or its generation's owner, policy, feed, version or reason" if row["sequence"] == 1 else ""
            yield f"{name}: is not what its hash says{also}"
        heads[book] = row["hash"]
        for account, debit, credit in row["entries"]:
            sums[book, account] += Decimal(debit) - Decimal(credit)
    for book in bundle.rows("books"):
        told = (book["ledger_seq"], book["ledger_head"], Decimal(book["cash"]), Decimal(book["realized_pl"]))
        found = (counts[book["id"]], heads[book["id"]], sums[book["id"], "cash"], -sums[book["id"], "realized_pl"])
        if told != found:
            yield f"book {book['id']}: says {told}, its ledger {found} (transactions, head, cash, realized P/L)"


def _frame(run: dict[str, Any]) -> list[str]:
    policy = json.dumps(run["policy"], sort_keys=True, separators=(",", ":"))
    return [run.get("owner", ""), policy, run["feed"], run["engine_version"], run["reason"]]


def _rounds_to_nothing(row: dict[str, Any]) -> bool:
    """A fill of so little that it moves no money has no entries."""
    if row["qty"] is None or row["price"] is None:
        return False
    multiplier = 100 if row["symbol"].startswith("O:") else 1
    return Decimal(row["qty"]) * Decimal(row["price"]) * multiplier <= Decimal("0.0001")


def _chain_hash(row: dict[str, Any], quote: list[str], frame: list[str]) -> str:
    canonical = [
        row["sequence"],
        row["kind"],
        row["at"],
        row["order_number"],
        row["symbol"],
        row["qty"],
        row["price"],
        row["entries"],
        quote,
    ]
    if row.get("form", 1) > 1:
        canonical += [row["description"], frame if row["kind"] == "opening" else None]
    return hashlib.sha256(
        f"{row['previous_hash']}\n{json.dumps(canonical, separators=(',', ':'))}".encode()
    ).hexdigest()


@check
def fills(bundle: Bundle) -> Iterator[str]:
    """No fill is better than its quote of its symbol; orders say what their fills say; positions are fills less settlements."""
    prices = {quote["id"]: quote["contents"] for quote in bundle.rows("quotes")}
    held: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    filled: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(), Decimal()])
    for fill in bundle.rows("fills"):
        quote = prices.get(fill["quote"])
        buying = fill["side"] == "buy"
        if quote is None:
            yield f"fill {fill['id']}: its quote {fill['quote']} is not in the bundle"
        elif quote[0] != fill["symbol"] or Decimal(fill["price"]) != Decimal(quote[2] if buying else quote[1]):
            yield f"fill {fill['id']}: {fill['symbol']} at {fill['price']}, its quote was {quote[0]} {quote[1]} x {quote[2]}"
        held[fill["book"], fill["symbol"]] += Decimal(fill["qty"]) if buying else -Decimal(fill["qty"])
        filled[fill["order"]][0] += Decimal(fill["qty"])
        filled[fill["order"]][1] += Decimal(fill["gross_amount"])
    for row in bundle.rows("ledger"):
        if row["kind"] == "settlement":
            held[row["book"], row["symbol"]] -= Decimal(row["qty"])
    for order in bundle.rows("orders"):
        if [Decimal(order["filled_qty"]), Decimal(order["booked"])] != filled[order["id"]]:
            yield f"order {order['id']}: does not say what its fills say"
    stored = {(place["book"], place["symbol"]): Decimal(place["qty"]) for place in bundle.rows("positions")}
    for book, symbol in sorted(held.keys() | stored.keys()):
        if held[book, symbol] != stored.get((book, symbol), Decimal()):
            yield f"position {symbol} of book {book}: its fills give {held[book, symbol]}"


@check
def bookings(bundle: Bundle) -> Iterator[str]:
    """Fills are what the ledger booked, and positions have realized what it booked for their symbols."""
    fills = {fill["ledger_transaction"]: fill for fill in bundle.rows("fills") if fill["ledger_transaction"]}
    realized: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for row in bundle.rows("ledger"):
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account, debit, credit in row["entries"]:
            sums[account] += Decimal(debit) - Decimal(credit)
        realized[row["book"], row["symbol"]] -= sums["realized_pl"]
        fill = fills.pop(row["id"], None)
        if fill is None:
            if row["kind"] in ("buy", "sell"):
                yield f"ledger transaction {row['sequence']} of book {row['book']}: its fill is missing"
            continue
        told = [row["book"], row["kind"], row["symbol"], row["quote"]]
        numbers = [Decimal(row["qty"]), Decimal(row["price"]), abs(sums["cash"]), -sums["realized_pl"]]
        if told != [fill["book"], fill["side"], fill["symbol"], fill["quote"]] or numbers != [
            Decimal(fill[name]) for name in ("qty", "price", "gross_amount", "realized_pl")
        ]:
            yield f"fill {fill['id']}: is not what ledger transaction {row['sequence']} booked"
    for fill in fills.values():
        yield f"fill {fill['id']}: its ledger transaction is missing"
    for place in bundle.rows("positions"):
        if Decimal(place["realized_pl"]) != realized[place["book"], place["symbol"]]:
            yield f"position {place['symbol']} of book {place['book']}: realized {place['realized_pl']}"


@check
def holds(bundle: Bundle) -> Iterator[str]:
    """Books and positions hold what their open orders hold."""
    cash: dict[int, Decimal] = defaultdict(Decimal)
    qty: dict[tuple[int, str], Decimal] = defaultdict(Decimal)
    for order in bundle.rows("orders"):
        if order["status"] in OPEN:
            cash[order["book"]] += Decimal(order["held_cash"])
            qty[order["book"], order["symbol"]] += Decimal(order["held_qty"])
    for book in bundle.rows("books"):
        if Decimal(book["held_cash"]) != cash[book["id"]]:
            yield f"book {book['id']}: holds {book['held_cash']} cash, its open orders {cash[book['id']]}"
    for place in bundle.rows("positions"):
        if Decimal(place["held_qty"]) != qty[place["book"], place["symbol"]]:
            yield f"position {place['symbol']} of book {place['book']}: holds {place['held_qty']}"


@check
def runs(bundle: Bundle) -> Iterator[str]:
    """Generations begin and end with their books, and came to what the books say; the account is what its events say."""
    openings = {row["book"]: row for row in bundle.rows("ledger") if row["kind"] == "opening"}
    books = {book["generation"]: book for book in bundle.rows("books")}
    begun = {row["book"]: row for row in bundle.rows("events") if row["type"] in ("account_opened", "account_reset")}
    worth: dict[int, Decimal] = defaultdict(Decimal)
    for place in bundle.rows("positions"):
        qty, mark = Decimal(place["qty"]), Decimal(place["mark_price"])
        worth[place["book"]] += _rounded(qty * mark * place["multiplier"], MONEY)
    for number, run in enumerate(bundle.rows("generations"), start=1):
        book = books[run["id"]]
        opening = openings.get(book["id"], {"at": None, "entries": []})
        capital = sum((Decimal(credit) for account, _, credit in opening["entries"] if account == "capital"), Decimal())
        event = begun.get(book["id"], {"reason": None})
        told = [number, number, capital, opening["at"], event["reason"], book["closed_at"], run["account"]]
        says = [
            run["number"],
            book["generation_number"],
            Decimal(run["initial_cash"]),
            run["opened_at"],
            run["reason"],
            run["closed_at"],
            book["account"],
        ]
        if told != says:
            yield f"generation {run['number']}: says {says}, its book, opening and event {told}"
        if run["closed_at"]:
            summary, equity = run["summary"] or {}, Decimal(book["cash"]) + worth[book["id"]]
            peak = max(Decimal(book["peak_equity"]), equity)
            came_to = {
                "equity": equity,
                "cash": book["cash"],
                "market_value": worth[book["id"]],
                "initial_cash": capital,
                "realized_pl": book["realized_pl"],
                "drawdown": _rounded((peak - equity) / peak, RATIO),
                "closed_trades": book["closed_trades"],
                "winning_trades": book["winning_trades"],
                "held_cash": 0,
                "max_drawdown": book["max_drawdown"],
            }
            for name, value in came_to.items():
                if Decimal(str(summary.get(name, "NaN"))) != Decimal(str(value)):
                    yield f"generation {run['number']}: its summary says {name} {summary.get(name)}, its book {value}"
    yield from _account(bundle)


def _account(bundle: Bundle) -> Iterator[str]:
    told: dict[str, Any] = {"status": "active", "reset_at": None, "archived_at": None, "currency": "USD"}
    for event in bundle.rows("events"):
        if event["type"].startswith("account_"):
            told["updated_at"] = event["at"]
            told.setdefault("created_at", event["at"])
        if event["type"] == "account_renamed":
            told["name"] = event["reason"]
        elif event["type"] == "account_reset":
            told["reset_at"] = event["at"]
        elif event["type"] == "account_archived":
            told |= {"status": "archived", "archived_at": event["at"]}
    if [account["id"] for account in bundle.rows("account")] != [bundle.manifest["account"]]:
        yield f"account {bundle.manifest['account']}: is missing"
    for account in bundle.rows("account"):
        for name, value in told.items():
            if account[name] != value:
                yield f"account {account['id']}: its {name} is {account[name]}, its events say {value}"


@check
def orders(bundle: Bundle) -> Iterator[str]:
    """Orders say what their terms, events and fills come to: cost, holds, times, reasons, numbers."""
    first: dict[str, dict[str, Any]] = {}
    last: dict[str, dict[str, Any]] = {}
    for event in bundle.rows("events"):
        if event["order_id"]:
            first.setdefault(event["order_id"], event)
            last[event["order_id"]] = event
    asks = {quote["id"]: quote["contents"] for quote in bundle.rows("quotes")}
    fills: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fill in bundle.rows("fills"):
        fills[fill["order"]].append(fill)
    for number, order in enumerate(bundle.rows("orders"), start=1):
        name = f"order {order['number']}"
        if order["number"] != number:
            yield f"{name}: comes where number {number} should be"
        if order["id"] not in last:
            yield f"{name}: has no event"
            continue
        for field, value in _of_events(order, first[order["id"]], last[order["id"]]).items():
            if order.get(field) != value:  # a bundle of 0.1.0 has fewer fields
                yield f"{name}: its {field} is {order.get(field)}, its events and terms say {value}"
        cost = Decimal()
        booked = Decimal()
        for fill in fills[order["id"]]:
            cost += Decimal(fill["qty"]) * Decimal(fill["price"]) * order["multiplier"]
            if _rounded(cost, MONEY) - booked != Decimal(fill["gross_amount"]):
                yield f"fill {fill['id']}: books {fill['gross_amount']}, its price and quantity say otherwise"
            booked += Decimal(fill["gross_amount"])
        if Decimal(order["exact_cost"]) != cost:
            yield f"{name}: says that it cost {order['exact_cost']}, its fills {cost}"
        yield from _held(order, fills[order["id"]], asks.get(order["quote"]))


def _of_events(order: dict[str, Any], first: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    ended, at, reason = last["order_status"], last["at"], last["reason"]
    waits = last["type"] == "order_evaluated"
    option = order["symbol"].startswith("O:")
    canceled = ended == "canceled"
    return {
        "symbol": last["symbol"],
        "asset_class": "us_option" if option else "us_equity",
        "multiplier": 100 if option else 1,
        "quote": first["quote"],
        "submitted_at": first["at"],
        "accepted_at": first["at"] if first["type"] == "order_submitted" else None,
        "updated_at": at,
        "no_fill_reason": reason if waits else "",
        "no_fill_at": at if waits else None,
        "filled_at": at if ended == "filled" else None,
        "canceled_at": at if canceled else None,
        "rejected_at": at if ended == "rejected" else None,
        "replaced_at": at if ended == "replaced" else None,
        "expired_at": order["expires_at"] if ended == "expired" else None,
        "rejected_reason": reason if ended == "rejected" else "",
        # An operator's note stands in the event in place of the reason.
        "cancel_reason": "" if not canceled else reason if reason in REASONS else "requested",
    }


def _held(order: dict[str, Any], fills: list[dict[str, Any]], quote: list[str] | None) -> Iterator[str]:
    """What an order reserves follows from its terms; what a market order holds after a fill is at most this."""
    left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
    selling, is_open = order["side"] == "sell", order["status"] in OPEN
    cash = Decimal()
    if is_open and not selling:
        price = order["limit_price"] or (fills[-1]["price"] if fills else _ask(quote))
        cash = _rounded(Decimal(order["exact_cost"]) + left * Decimal(price) * order["multiplier"], MONEY) - Decimal(
            order["booked"]
        )
    held = Decimal(order["held_cash"])
    at_most = order["limit_price"] is None and (fills or (quote and quote[5][:19] > order["submitted_at"][:19]))
    if held > cash or (held < cash and not at_most):
        yield f"order {order['number']}: holds {held} cash, its terms say {cash}"
    if Decimal(order["held_qty"]) != (left if is_open and selling else 0):
        yield f"order {order['number']}: holds {order['held_qty']}, its terms say another quantity"


def _ask(quote: list[str] | None) -> str:
    """The ask that a market order holds for; nothing where the quote could never fill it."""
    if quote is None or not quote[1] or not quote[2]:
        return "0"
    bid, ask = Decimal(quote[1]), Decimal(quote[2])
    return quote[2] if 0 < bid <= ask and not any(size.startswith("-") for size in quote[3:5]) else "0"


@check
def snapshots(bundle: Bundle) -> Iterator[str]:
    """Each is the sum of its parts, with cash and P/L that the ledger had then; books keep the peak and the worst of them."""
    thinned, detached = bundle.manifest.get("thinned", []), bundle.manifest.get("detached", [])
    standing: dict[int, list[tuple[str, Decimal, Decimal]]] = defaultdict(list)
    for row in bundle.rows("ledger"):
        earlier = standing[row["book"]][-1] if standing[row["book"]] else ("", Decimal(), Decimal())
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for account, debit, credit in row["entries"]:
            sums[account] += Decimal(debit) - Decimal(credit)
        standing[row["book"]].append((row["at"], earlier[1] + sums["cash"], earlier[2] - sums["realized_pl"]))
    peaks: dict[int, Decimal] = defaultdict(Decimal)
    worst: dict[int, Decimal] = defaultdict(Decimal)
    place: dict[int, int] = defaultdict(int)
    for row in bundle.rows("snapshots"):
        name, book = f"snapshot of book {row['book']} at {row['at']}", row["book"]
        equity, cash, drawdown = Decimal(row["equity"]), Decimal(row["cash"]), Decimal(row["drawdown"])
        peaks[book] = max(peaks[book], equity)
        worst[book] = max(worst[book], drawdown)
        if equity != cash + Decimal(row["market_value"]):
            yield f"{name}: is not the sum of its parts"
        since_peak = _rounded((peaks[book] - equity) / peaks[book], RATIO)
        if drawdown < since_peak or (drawdown > since_peak and not detached and row["at"][:7] not in thinned):
            yield f"{name}: its drawdown is {drawdown}, from the peak before it {since_peak}"
        booked = standing[book]
        while place[book] + 1 < len(booked) and booked[place[book] + 1][0] < row["at"]:
            place[book] += 1
        here = [known for known in booked[place[book] :] if known[0] <= row["at"]]
        if (cash, Decimal(row["realized_pl"])) not in [known[1:] for known in here]:
            yield f"{name}: its cash and realized P/L are not what the ledger says of then"
    for book in bundle.rows("books"):
        told = (Decimal(book["peak_equity"]), Decimal(book["max_drawdown"]))
        found = (peaks[book["id"]], worst[book["id"]])
        if told != found and not (detached and told >= found):
            yield f"book {book['id']}: says {told}, its snapshots {found} (peak, deepest drawdown)"


def _rounded(value: Decimal, scale: Decimal) -> Decimal:
    return value.quantize(scale, rounding=ROUND_HALF_EVEN)


@check
def events(bundle: Bundle) -> Iterator[str]:
    """The events are numbered from 1 without a gap, up to the latest book's number, and end where the orders stand."""
    last, status = 0, {}
    for event in bundle.rows("events"):
        last += 1
        if event["order_id"]:
            status[event["order_id"]] = event["order_status"]
        if event["seq"] != last:
            yield f"event {event['seq']}: comes where number {last} should be"
            last = event["seq"]
    for order in bundle.rows("orders"):
        if status.get(order["id"]) != order["status"]:
            yield f"order {order['id']}: is {order['status']}, its events say {status.get(order['id'])}"
    told = max((book["event_seq"] for book in bundle.rows("books")), default=0)
    if told != last:
        yield f"event {last} is the last one, the books say {told}"


def main(arguments: list[str]) -> int:
    """The exit status: 0 where nothing is wrong, 1 where something is, 2 for a wrong call."""
    if len(arguments) != 1:
        print(f"usage: python {sys.argv[0]} BUNDLE.zip")
        return 2
    count = 0
    for problem in problems(arguments[0]):
        print(problem)
        count += 1
    print(f"{count} problems." if count else "The bundle is whole, and its books are right.")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
