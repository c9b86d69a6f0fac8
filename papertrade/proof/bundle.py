"""The audit bundle: everything of an account in one archive, with a manifest of hashes and a check that needs no server.

One JSON line per row, in a fixed order, so that the same account gives the same bytes; rows are streamed, so that size does not
matter. `bundle_check` says what the lines mean, and recomputes them.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from accounts.models import Generation, PaperAccount
from marketdata.evidence import as_quote
from marketdata.models import QuoteRecord
from orders.models import Fill, Order
from papertrade.lib.files import private_part
from papertrade.lib.postgres import one_instant
from papertrade.proof import bundle_check
from portfolio.ledger import instant
from portfolio.models import AccountEvent, Book, EquitySnapshot, LedgerTransaction, Position
from portfolio.retention import put_away_months

FORMAT = 2
CHUNK_ROWS = 2000
OUTSIDE = frozenset({"request_id"})  # it leads to a log, and says nothing about what happened
ONE_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's earliest: when a bundle was made is not part of it

Line = dict[str, Any]


def write(*, account: PaperAccount, path: Path) -> dict[str, int]:
    """Write an account's bundle, as of one instant, to a private file, whole or not at all; returns the rows of each file."""
    manifest: dict[str, dict[str, Any]] = {}
    with (
        private_part(path) as unfinished,
        one_instant(),
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, lines in _files(account):
            manifest[f"{name}.jsonl"] = _add(archive, f"{name}.jsonl", lines)
        script = Path(bundle_check.__file__).read_text().splitlines(keepends=True)
        manifest["check.py"] = _add(archive, "check.py", script)
        away = put_away_months()
        head = {
            "format": FORMAT,
            "account": str(account.pk),
            "thinned": sorted(away.thinned),
            "detached": sorted(away.detached),
            "files": manifest,
        }
        archive.writestr(zipfile.ZipInfo(bundle_check.MANIFEST, ONE_TIME), json.dumps(head, indent=1) + "\n")
    return {name: told["rows"] for name, told in manifest.items()}


def _add(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> dict[str, Any]:
    digest, rows = hashlib.sha256(), 0
    member = zipfile.ZipInfo(name, ONE_TIME)
    member.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as file:
        for line in lines:
            data = line.encode()
            digest.update(data)
            file.write(data)
            rows += 1
    return {"rows": rows, "sha256": digest.hexdigest()}


def _files(account: PaperAccount) -> Iterator[tuple[str, Iterator[str]]]:
    of_account = {"account": account}
    of_books = {"book__account": account}
    rows: list[tuple[str, QuerySet, Callable[[Any], Line]]] = [
        ("account", PaperAccount.objects.filter(pk=account.pk), _plain),
        ("generations", Generation.objects.filter(**of_account).order_by("number"), _plain),
        ("books", Book.objects.filter(**of_account).order_by("pk"), _plain),
        ("orders", Order.objects.filter(**of_account).order_by("number"), _plain),
        ("events", AccountEvent.objects.filter(**of_account).order_by("seq"), _plain),
        ("fills", Fill.objects.filter(**of_account).order_by("seq"), _plain),
        ("positions", Position.objects.filter(**of_books).order_by("book_id", "symbol"), _plain),
        ("snapshots", EquitySnapshot.objects.filter(**of_books).order_by("book_id", "at", "pk"), _plain),
        ("quotes", _quotes_of(account), _quote),
        (
            "ledger",
            LedgerTransaction.objects.filter(**of_books).order_by("book_id", "sequence").prefetch_related("entries"),
            _transaction,
        ),
    ]
    for name, found, line_of in rows:
        yield name, _lines(found, line_of)


def _lines(rows: QuerySet, line_of: Callable[[Any], Line]) -> Iterator[str]:
    for row in rows.iterator(chunk_size=CHUNK_ROWS):
        yield json.dumps(line_of(row), separators=(",", ":")) + "\n"


def _quotes_of(account: PaperAccount) -> QuerySet[QuoteRecord]:
    """Every quote that anything of the account points at."""
    used = [
        AccountEvent.objects.filter(account=account, quote__isnull=False).order_by().values("quote"),
        Order.objects.filter(account=account, quote__isnull=False).order_by().values("quote"),
        Fill.objects.filter(account=account).order_by().values("quote"),
        LedgerTransaction.objects.filter(book__account=account, quote__isnull=False).order_by().values("quote"),
    ]
    return QuoteRecord.objects.filter(pk__in=used[0].union(*used[1:])).order_by("pk")


def _plain(row: Model) -> Line:
    """Every column that says what happened, foreign keys by the name of the field."""
    fields = [field for field in row._meta.concrete_fields if field.name not in OUTSIDE]
    return {field.name: _value(getattr(row, field.attname)) for field in fields}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, (Decimal, UUID)) else value if _is_json(value) else value.isoformat()


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, bool, list, dict))


def _quote(row: QuoteRecord) -> Line:
    return {"id": str(row.pk), "contents": as_quote(row).contents()}


def _transaction(row: LedgerTransaction) -> Line:
    """The fields that were hashed, as they were written then, and all other columns."""
    return {
        **_plain(row),
        "entries": [
            [entry.account, f"{entry.debit:.4f}", f"{entry.credit:.4f}"]
            for entry in sorted(row.entries.all(), key=lambda entry: entry.line)
        ],
    }
