"""What each means says and leaves behind, by its command; test_columns.py holds them to all that they claim."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from papertrade.operations import health
from papertrade.proof import bundle_check, heads
from portfolio.models import LedgerTransaction
from tests.desk import Desk, audit_by_night, let_a_night_pass
from tests.market_kit import MarketKit
from tests.proof.tampering import lay_defences_down

AMOUNT = "UPDATE portfolio_ledgerentry SET debit = debit + 1 WHERE debit > 0 AND transaction_id = '{last}'"
TERMS = "UPDATE orders_order SET client_order_id = 'another' WHERE id = '{order}'"
# The end of the ledger is cut off, and book and position are made to fit what is left.
TAIL = """
    DELETE FROM portfolio_ledgerentry WHERE transaction_id = '{last}';
    DELETE FROM orders_fill WHERE ledger_transaction_id = '{last}';
    DELETE FROM portfolio_ledgertransaction WHERE id = '{last}';
    DELETE FROM portfolio_accountevent WHERE order_id = '{order}';
    DELETE FROM portfolio_equitysnapshot WHERE id = (SELECT max(id) FROM portfolio_equitysnapshot);
    UPDATE portfolio_book b SET ledger_seq = t.sequence, ledger_head = t.hash, cash = cash + 1001, order_seq = order_seq - 1,
        event_seq = (SELECT max(seq) FROM portfolio_accountevent), max_drawdown = 0.00001
    FROM portfolio_ledgertransaction t WHERE t.book_id = b.id AND t.sequence = b.ledger_seq - 1;
    UPDATE portfolio_position SET qty = qty - 10, cost_basis = cost_basis - 1001;
    DELETE FROM orders_order WHERE id = '{order}'
"""


@pytest.fixture
def desk(open_market: MarketKit, trader: Any) -> Desk:
    """Two fills of ten shares at 100.10; nothing waits."""
    desk = Desk(trader)
    desk.buy("10")
    return desk


@pytest.fixture
def file(desk: Desk, tmp_path: Path) -> Iterator[Path]:
    """Heads that were exported after the second fill."""
    desk.last = desk.buy("10")
    path = tmp_path / "heads.jsonl"
    path.write_text("".join(heads.export()))
    yield path


def tamper(desk: Desk, statements: str) -> None:
    last = LedgerTransaction.objects.latest("sequence").pk
    lay_defences_down()
    with connection.cursor() as cursor:
        cursor.execute(statements.format(last=last, order=desk.last.pk))


def command(name: str, *arguments: object) -> tuple[int, str]:
    """Exit status and output."""
    out = StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.parametrize(
    ("statements", "by_audit", "by_night", "by_heads", "by_bundle"),
    [
        pytest.param(AMOUNT, "ledger transaction 3", "", "", "ledger transaction 3", id="changed amount"),
        pytest.param(TERMS, "", "", "an order, a fill", "", id="terms of an order"),
        pytest.param(
            TAIL,
            "",
            "ledger transaction 3, in which the last audit left it, is another or gone",
            "had 3 transactions: number 3 is gone",
            "",
            id="truncated tail that fits",
        ),
    ],
)
def test_it_is_found_and_the_row_is_named(
    desk: Desk, file: Path, tmp_path: Path, statements: str, by_audit: str, by_night: str, by_heads: str, by_bundle: str
) -> None:
    """By night what is newer than the audit before is read, once a week everything."""
    assert command("audit_books")[0] == 0 and command("verify_heads", file)[0] == 0
    tamper(desk, statements)
    status, said = command("audit_books", "--account", desk.account.pk)
    assert (status, by_audit in said) == (1 if by_audit else 0, True), said
    for nights, expected in ((1, by_night), (6, by_audit)):
        for _ in range(nights):
            let_a_night_pass()
        report = audit_by_night()
        assert report is not None and bool(report.difference_count) == bool(expected)
        assert expected in str(report.differences)
        assert any("differences in the books" in warning for warning in health.warnings()) == bool(expected)
    status, said = command("verify_heads", file)
    assert (status, by_heads in said) == (1 if by_heads else 0, True), said
    command("audit_bundle", desk.account.pk, tmp_path / "account.zip")
    found = list(bundle_check.problems(str(tmp_path / "account.zip")))
    assert any(by_bundle in problem for problem in found) if by_bundle else not found, found


def test_a_chain_may_grow(desk: Desk, file: Path) -> None:
    desk.sell("5")
    assert command("verify_heads", file) == (0, "0 differences.\n")


def test_a_rewritten_chain_is_found_though_it_is_whole(desk: Desk, file: Path) -> None:
    """A database put back from elsewhere: every chain is sound, and it is another one."""
    first, line, *_ = file.read_text().splitlines(keepends=True)
    row = json.loads(line)
    other = json.dumps({**row, "head": "f" * 64}, separators=(",", ":")) + "\n"
    found = list(heads.check(_sealed([first, other])))
    assert [difference.row for difference in found] == [f"book {row['book']}"]
    assert "is another than it was" in found[0].problem
    gone = json.dumps({**row, "book": 10**9}, separators=(",", ":")) + "\n"
    assert "is gone" in next(heads.check(_sealed([first, gone]))).problem


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: text.replace('"transactions":3', '"transactions":2'),
        lambda text: "",
        lambda text: "[]\n" + text,
        lambda text: text.splitlines()[0],
        lambda text: text.replace('"format":2', '"format":3'),
    ],
)
def test_a_file_that_was_changed_is_refused(file: Path, change: Any) -> None:
    file.write_text(change(file.read_text()))
    with pytest.raises(CommandError, match="cannot be used"):
        command("verify_heads", file)


def _sealed(lines: list[str]) -> list[str]:
    """The lines with a last one that fits them, as whoever forges a file would write it."""
    import hashlib

    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return [*lines, json.dumps({"lines": len(lines), "sha256": digest}) + "\n"]
