"""Check an audit bundle without a server: `python check.py bundle.zip`. Needs Python 3.11 or newer and nothing else.

It recomputes what the bundle claims: the hash of each file, of each quote, and of the chain over each ledger; that every
transaction balances; cash, realized P/L and positions from the ledger and the fills; holds from the open orders; that no
fill is better than its quote or another than the ledger booked; that no event is missing. Each bundle has a copy of this
file.
"""

import hashlib
import io
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

MANIFEST = "manifest.json"
GENESIS = "0" * 64
FILES = {"account", "generations", "books", "orders", "events", "fills", "positions", "snapshots", "quotes", "ledger"}
OPEN = {"accepted", "new", "partially_filled"}
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
        if len(row["entries"]) < 2 or sum(Decimal(debit) - Decimal(credit) for _, debit, credit in row["entries"]):
            yield f"{name}: is not at least two entries that balance"
        if row["quote"] is not None and row["quote"] not in contents:
            yield f"{name}: its quote {row['quote']} is not in the bundle"
        if _chain_hash(row, contents.get(row["quote"], [])) != row["hash"]:
            yield f"{name}: is not what its hash says"
        heads[book] = row["hash"]
        for account, debit, credit in row["entries"]:
            sums[book, account] += Decimal(debit) - Decimal(credit)
    for book in bundle.rows("books"):
        told = (book["ledger_seq"], book["ledger_head"], Decimal(book["cash"]), Decimal(book["realized_pl"]))
        found = (
            counts[book["id"]], heads[book["id"]], sums[book["id"], "cash"], -sums[book["id"], "realized_pl"]
        )  # fmt: skip
        if told != found:
            yield f"book {book['id']}: says {told}, its ledger {found} (transactions, head, cash, realized P/L)"


def _chain_hash(row: dict[str, Any], quote: list[str]) -> str:
    canonical = [
        row["sequence"], row["kind"], row["at"], row["order_number"], row["symbol"], row["qty"], row["price"],
        row["entries"], quote,
    ]  # fmt: skip
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
