"""Chain heads: where every ledger and event log stood, as a file to be kept elsewhere and held against the books later.

Whoever can write the database can rewrite a whole chain, or cut its end off; nobody can make it end in the hashes of a file
that they do not have. A chain that has grown since is as it should be: the old head must still be in its place.

A file is JSON lines: one object a book, then one with the number of books and the SHA-256 of all lines before it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from papertrade.postgres import raw_cursor
from portfolio.audit import Difference
from portfolio.ledger import GENESIS_HASH
from portfolio.models import Book

CHUNK_BOOKS = 1000


class BadHeads(ValueError):
    """The file is not one that `export` wrote, or not all of it; the message says what is wrong."""


def export(books: QuerySet[Book] | None = None) -> Iterator[str]:
    """The lines of a file, each with its line end; by default of all books."""
    digest, count = hashlib.sha256(), 0
    chosen = Book.objects.all() if books is None else books
    for book in chosen.order_by("pk").iterator(chunk_size=CHUNK_BOOKS):
        line = _line(
            {
                "book": book.pk,
                "account": str(book.account_id),
                "generation": book.generation_number,
                "transactions": book.ledger_seq,
                "head": book.ledger_head,
                "events": book.event_seq,
            }
        )
        digest.update(line.encode())
        count += 1
        yield line
    yield _line({"books": count, "sha256": digest.hexdigest()})


def check(lines: Iterable[str]) -> Iterator[Difference]:
    """What the books no longer have of what the file says. Raises BadHeads, also in the end: read it to there."""
    heads = _heads(lines)
    while chunk := list(islice(heads, CHUNK_BOOKS)):
        yield from _missing(chunk)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _heads(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The books of the file; its last line must fit all before it."""
    digest = hashlib.sha256()
    for count, line in enumerate(lines):
        try:
            row = json.loads(line)
            if "sha256" in row:
                if (row["books"], row["sha256"]) != (count, digest.hexdigest()):
                    raise BadHeads("the file was changed: its last line does not fit the others")
                return
            yield {name: row[name] for name in ("book", "account", "generation", "transactions", "head", "events")}
        except (ValueError, KeyError, TypeError) as problem:
            raise BadHeads(str(problem) if isinstance(problem, BadHeads) else "not a file of heads") from None
        digest.update(line.encode())
    raise BadHeads("the file has no last line: it was cut off")


_STANDING = """
    SELECT h.book, b.account_id::text, b.generation_number,
           CASE WHEN h.transactions = 0 THEN %(genesis)s ELSE t.hash END,
           h.events = 0 OR EXISTS (SELECT FROM portfolio_accountevent e WHERE e.account_id = b.account_id AND e.seq = h.events)
    FROM unnest(%(books)s::bigint[], %(transactions)s::bigint[], %(events)s::bigint[]) AS h(book, transactions, events)
    JOIN portfolio_book b ON b.id = h.book
    LEFT JOIN portfolio_ledgertransaction t ON t.book_id = h.book AND t.sequence = h.transactions
"""


def _missing(heads: list[dict[str, Any]]) -> Iterator[Difference]:
    with raw_cursor() as cursor:
        values = {
            "genesis": GENESIS_HASH,
            "books": [head["book"] for head in heads],
            "transactions": [head["transactions"] for head in heads],
            "events": [head["events"] for head in heads],
        }
        standing = {book: rest for book, *rest in cursor.execute(_STANDING, values).fetchall()}
    for head in heads:
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
