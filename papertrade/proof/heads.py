"""Chain heads: where every ledger and event log stood, as a file to be kept elsewhere and compared with the books later.

Whoever can write to the database can rewrite a whole chain, or cut off its end; but they cannot make it end in the hashes of a
file that is out of their reach. A chain may have grown since, but the old head must still be in its place. What the chain does
not contain is covered by running hashes beside it (`papertrade.proof.evidence`).

A file is JSON lines: the format, one object per book, one per key, one for the audit reports, then one with the number of lines
and the SHA-256 of all before it. Every format that was ever written can be read.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from papertrade.lib.postgres import one_instant, raw_cursor
from papertrade.proof import evidence
from papertrade.proof.evidence import Head
from portfolio.audit import Difference
from portfolio.ledger import GENESIS_HASH
from portfolio.models import AuditReport, Book, EquitySnapshot
from portfolio.retention import put_away_months

FORMAT, FIRST_FORMAT = 2, 1
CHUNK_BOOKS = 100
BOOK, KEY, REPORTS = "book", "key", "reports"
FIELDS = {
    FIRST_FORMAT: {BOOK: {"book", "account", "generation", "transactions", "head", "events", "orders", "evidence"}},
    FORMAT: {
        BOOK: {"book", "account", "generation", "closed", "transactions", "head", "events", "snapshot", "evidence"},
        KEY: {"key", "revoked", "sha256_of_key"},
        REPORTS: {"reports", "count", "sha256_of_reports"},
    },
}


class BadHeads(ValueError):
    """The file is not one that `export` wrote, or not all of it; the message says what is wrong."""


def export(books: QuerySet[Book] | None = None) -> Iterator[str]:
    """The lines of a file, each with its line end; by default of all books, keys and audit reports."""
    digest, count = hashlib.sha256(), 0
    for row in _rows(Book.objects.all() if books is None else books):
        line = _line(row)
        digest.update(line.encode())
        count += 1
        yield line
    yield _line({"lines": count, "sha256": digest.hexdigest()})


def _rows(books: QuerySet[Book]) -> Iterator[dict[str, Any]]:
    yield {"format": FORMAT}
    chosen, last = books.order_by("pk"), 0
    while True:
        with one_instant():
            heads = [_head(book) for book in chosen.filter(pk__gt=last)[:CHUNK_BOOKS]]
            found = evidence.of_books(heads)
        if not heads:
            break
        yield from ({**head, "evidence": hashes} for head, hashes in zip(heads, found, strict=True))
        last = heads[-1]["book"]
    for key, (digest, revoked) in evidence.of_keys().items():
        yield {"key": key, "revoked": revoked, "sha256_of_key": digest}
    newest = AuditReport.objects.order_by("pk").values_list("pk", flat=True).last() or 0
    count, digest = evidence.of_reports(newest)
    yield {"reports": newest, "count": count, "sha256_of_reports": digest}


def _head(book: Book) -> Head:
    snapshots = EquitySnapshot.objects.filter(book_id=book.pk).order_by("-at", "-pk")
    return {
        "book": book.pk,
        "account": str(book.account_id),
        "generation": book.generation_number,
        "closed": book.closed_at is not None,
        "transactions": book.ledger_seq,
        "head": book.ledger_head,
        "events": book.event_seq,
        "snapshot": snapshots.values_list("pk", flat=True).first() or 0,
    }


def check(lines: Iterable[str]) -> Iterator[Difference]:
    """What the file has and the database no longer has. Raises BadHeads, perhaps only at the end: read it to there."""
    form, rows = _read(lines)
    while chunk := list(islice(rows, CHUNK_BOOKS)):
        for kind, differences in _CHECKS[form].items():
            of_kind = [row for row in chunk if kind in row]
            if of_kind:
                yield from differences(of_kind)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _read(lines: Iterable[str]) -> tuple[int, Iterator[Head]]:
    """The format of the file and its rows; a file of the first format does not say its own."""
    source = iter(lines)
    first = next(source, "")
    try:
        row = json.loads(first)
        form = row.get("format", FIRST_FORMAT)
    except (ValueError, AttributeError):
        raise BadHeads("not a file of heads") from None
    if form not in FIELDS:
        raise BadHeads(f"it is of format {form}, which a newer release wrote")
    return form, _rows_of(first, source, form)


def _rows_of(first: str, rest: Iterable[str], form: int) -> Iterator[Head]:
    """The rows of the file; its last line must fit all before it."""
    digest = hashlib.sha256()
    for count, line in enumerate(_chain(first, rest)):
        try:
            row = json.loads(line)
            if "sha256" in row:
                if (row.get("lines", row.get("books")), row["sha256"]) != (count, digest.hexdigest()):
                    raise BadHeads("the file was changed: its last line does not fit the others")
                return
            if "format" not in row:
                kind = next(kind for kind in FIELDS[form] if kind in row)
                yield {name: row[name] for name in FIELDS[form][kind]}
        except (ValueError, KeyError, TypeError, StopIteration) as problem:
            raise BadHeads(str(problem) if isinstance(problem, BadHeads) else "not a file of heads") from None
        digest.update(line.encode())
    raise BadHeads("the file has no last line: it was cut off")


def _chain(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


_STANDING = """
    SELECT h.book, b.account_id::text, b.generation_number,
           CASE WHEN h.transactions = 0 THEN %(genesis)s ELSE t.hash END,
           h.events = 0 OR EXISTS (SELECT FROM portfolio_accountevent e WHERE e.account_id = b.account_id AND e.seq = h.events)
    FROM unnest(%(book)s::bigint[], %(transactions)s::bigint[], %(events)s::bigint[]) AS h(book, transactions, events)
    JOIN portfolio_book b ON b.id = h.book
    LEFT JOIN portfolio_ledgertransaction t ON t.book_id = h.book AND t.sequence = h.transactions
"""


def _check_first_books(heads: list[Head]) -> Iterator[Difference]:
    """Books as a file of format 1 says them."""
    for head, now, whole in zip(heads, evidence.in_first_format(heads), _standing(heads), strict=True):
        yield from whole
        if not whole and now != head["evidence"]:
            yield Difference(
                f"book {head['book']}", f"an order, a fill or an event up to number {head['events']} is not what it was"
            )


def _check_books(heads: list[Head]) -> Iterator[Difference]:
    away = put_away_months()
    for head, now, whole in zip(heads, evidence.of_books(heads), _standing(heads), strict=True):
        yield from whole
        row, told = f"book {head['book']}", head["evidence"]
        if any("is gone" in difference.problem for difference in whole):
            continue
        if now["events"] != told["events"]:
            yield Difference(row, f"an order, a fill or an event up to number {head['events']} is not what it was")
        if now["ledger"] != told["ledger"]:
            yield Difference(
                row, f"what is written beside its ledger up to transaction {head['transactions']} is not what it was"
            )
        if now["frame"] != told["frame"]:
            ended = ", its summary or a position of it" if head["closed"] else ""
            yield Difference(row, f"its owner, its account, what its run is carried on under{ended} is not what it was")
        for month, was in told["snapshots"].items():
            found = now["snapshots"].get(month, [0, "", ""])
            # rows and hash of all; then the hash of what thinning leaves
            same = found[:2] == was[:2] or (month in away.thinned and found[2] == was[2]) or month in away.detached
            if not same:
                yield Difference(row, f"its snapshots of {month} are not what they were")


def _standing(heads: list[Head]) -> list[list[Difference]]:
    """What of each book is gone: itself, a transaction, an event."""
    with raw_cursor() as cursor:
        bounds = {name: [head[name] for head in heads] for name in ("book", "transactions", "events")}
        rows = cursor.execute(_STANDING, {"genesis": GENESIS_HASH, **bounds}).fetchall()
    standing = {book: rest for book, *rest in rows}
    return [list(_gone(head, standing.get(head["book"]))) for head in heads]


def _gone(head: Head, found: list[Any] | None) -> Iterator[Difference]:
    row = f"book {head['book']}"
    if found is None:
        yield Difference(row, f"is gone; it was generation {head['generation']} of account {head['account']}")
        return
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


def _check_keys(rows: list[Head]) -> Iterator[Difference]:
    found = evidence.of_keys(row["key"] for row in rows)
    for row in rows:
        digest, revoked = found.get(row["key"], ("", None))
        if not digest:
            yield Difference(f"key {row['key']}", "is gone")
        elif digest != row["sha256_of_key"]:
            yield Difference(f"key {row['key']}", "is another user's, or not what it was")
        elif row["revoked"] not in (None, revoked):
            yield Difference(f"key {row['key']}", "was revoked, and is no longer, or at another time")


def _check_reports(rows: list[Head]) -> Iterator[Difference]:
    for row in rows:
        if evidence.of_reports(row["reports"]) != [row["count"], row["sha256_of_reports"]]:
            yield Difference(
                "audit reports", f"one of the {row['count']} up to number {row['reports']} is gone or changed"
            )


_CHECKS: dict[int, dict[str, Callable[[list[Head]], Iterator[Difference]]]] = {
    FIRST_FORMAT: {BOOK: _check_first_books},
    FORMAT: {BOOK: _check_books, KEY: _check_keys, REPORTS: _check_reports},
}
