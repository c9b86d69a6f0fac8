"""Chain heads: where every ledger and event log stood, as a file to be kept elsewhere and held against the books later.

Whoever can write the database can rewrite a whole chain, or cut its end off; nobody can make it end in the hashes of a file
that they do not have. A chain that has grown since is as it should be: the old head must still be in its place. What the
chain does not hold is under a hash of its own, `evidence`: the events, the fills and the terms of the orders up to then.

A file is JSON lines: one object a book, then one with the number of books and the SHA-256 of all lines before it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from papertrade.lib.postgres import raw_cursor
from portfolio.audit import Difference
from portfolio.ledger import GENESIS_HASH
from portfolio.models import Book

CHUNK_BOOKS = 100
FIELDS = ("book", "account", "generation", "transactions", "head", "events", "orders", "evidence")

Head = dict[str, Any]


class BadHeads(ValueError):
    """The file is not one that `export` wrote, or not all of it; the message says what is wrong."""


def export(books: QuerySet[Book] | None = None) -> Iterator[str]:
    """The lines of a file, each with its line end; by default of all books."""
    digest, count = hashlib.sha256(), 0
    chosen = (Book.objects.all() if books is None else books).order_by("pk")
    while chunk := list(chosen[count : count + CHUNK_BOOKS]):
        for head in _with_evidence([_head(book) for book in chunk]):
            line = _line(head)
            digest.update(line.encode())
            yield line
        count += len(chunk)
    yield _line({"books": count, "sha256": digest.hexdigest()})


def check(lines: Iterable[str]) -> Iterator[Difference]:
    """What the books no longer have of what the file says. Raises BadHeads, also in the end: read it to there."""
    heads = _heads(lines)
    while chunk := list(islice(heads, CHUNK_BOOKS)):
        yield from _missing(chunk)


def _head(book: Book) -> Head:
    return {
        "book": book.pk,
        "account": str(book.account_id),
        "generation": book.generation_number,
        "transactions": book.ledger_seq,
        "head": book.ledger_head,
        "events": book.event_seq,
        "orders": book.order_seq,
    }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _heads(lines: Iterable[str]) -> Iterator[Head]:
    """The books of the file; its last line must fit all before it."""
    digest = hashlib.sha256()
    for count, line in enumerate(lines):
        try:
            row = json.loads(line)
            if "sha256" in row:
                if (row["books"], row["sha256"]) != (count, digest.hexdigest()):
                    raise BadHeads("the file was changed: its last line does not fit the others")
                return
            yield {name: row[name] for name in FIELDS}
        except (ValueError, KeyError, TypeError) as problem:
            raise BadHeads(str(problem) if isinstance(problem, BadHeads) else "not a file of heads") from None
        digest.update(line.encode())
    raise BadHeads("the file has no last line: it was cut off")


_STANDING = """
    SELECT h.book, b.account_id::text, b.generation_number,
           CASE WHEN h.transactions = 0 THEN %(genesis)s ELSE t.hash END,
           h.events = 0 OR EXISTS (SELECT FROM portfolio_accountevent e WHERE e.account_id = b.account_id AND e.seq = h.events)
    FROM unnest(%(book)s::bigint[], %(transactions)s::bigint[], %(events)s::bigint[]) AS h(book, transactions, events)
    JOIN portfolio_book b ON b.id = h.book
    LEFT JOIN portfolio_ledgertransaction t ON t.book_id = h.book AND t.sequence = h.transactions
"""


# Only grows, or never changes: what is left out of an order is what filling and ending it changes.
_EVIDENCE = """
    SELECT h.book, encode(sha256(convert_to(
        coalesce(string_agg(kept.line, E'\\n' ORDER BY kept.kind, kept.number), ''), 'UTF8')), 'hex')
    FROM unnest(%(book)s::bigint[], %(events)s::bigint[], %(orders)s::bigint[]) AS h(book, events, orders)
    JOIN portfolio_book b ON b.id = h.book
    LEFT JOIN LATERAL (
        SELECT 'event' AS kind, seq AS number, json_build_array(
            seq, type, extract(epoch FROM at), order_id, order_status, symbol, reason, fill_id, quote_id)::text AS line
        FROM portfolio_accountevent e WHERE e.account_id = b.account_id AND e.book_id = b.id AND seq <= h.events
        UNION ALL
        SELECT 'fill', seq, json_build_array(
            seq, id, order_id, symbol, side, qty, price, gross_amount, realized_pl, quote_id, ledger_transaction_id,
            extract(epoch FROM price_since), extract(epoch FROM created_at))::text
        FROM orders_fill WHERE book_id = b.id AND seq <= h.events
        UNION ALL
        SELECT 'order', number, json_build_array(
            number, id, client_order_id, symbol, side, type, time_in_force, position_intent, qty, limit_price,
            extract(epoch FROM submitted_at), extract(epoch FROM expires_at))::text
        FROM orders_order WHERE book_id = b.id AND number <= h.orders
    ) AS kept ON true
    GROUP BY h.book
"""


def _with_evidence(heads: list[Head]) -> Iterator[Head]:
    with raw_cursor() as cursor:
        found = dict(cursor.execute(_EVIDENCE, _columns(heads, "book", "events", "orders")).fetchall())
    for head in heads:
        yield {**head, "evidence": found.get(head["book"])}


def _columns(heads: list[Head], *names: str) -> dict[str, list[Any]]:
    return {name: [head[name] for head in heads] for name in names}


def _missing(heads: list[Head]) -> Iterator[Difference]:
    with raw_cursor() as cursor:
        values = {"genesis": GENESIS_HASH, **_columns(heads, "book", "transactions", "events")}
        standing = {book: rest for book, *rest in cursor.execute(_STANDING, values).fetchall()}
    for head, now in zip(heads, _with_evidence(heads), strict=True):
        row, found = f"book {head['book']}", standing.get(head["book"])
        if found is None:
            yield Difference(row, f"is gone; it was generation {head['generation']} of account {head['account']}")
            continue
        account, generation, chain_hash, has_event = found
        if (account, generation) != (head["account"], head["generation"]):
            yield Difference(row, "is another account's or generation's than it was")
        if chain_hash is None:
            yield Difference(
                row, f"its ledger had {head['transactions']} transactions: number {head['transactions']} is gone"
            )
        elif chain_hash != head["head"]:
            yield Difference(row, f"its ledger transaction {head['transactions']} is another than it was")
        if not has_event:
            yield Difference(row, f"its account had {head['events']} events: number {head['events']} is gone")
        elif now["evidence"] != head["evidence"]:
            yield Difference(row, f"an order, a fill or an event up to number {head['events']} is not what it was")
