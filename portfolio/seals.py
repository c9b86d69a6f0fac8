"""How far an audit has verified a book: its seal, and in SQL the rows that are newer than that.

A seal holds all that the rest of a book's rows follow from: the numbers that its events, transactions, orders and snapshots
had reached, the head of its chain, and how it and its positions stood. An audit that begins at seals reads what is newer and
holds it to them; one that has none reads everything, by the same statements, as every number is newer than none.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from papertrade.lib.postgres import raw_cursor
from portfolio.models import Book

Seal = dict[str, Any]
FORM = 2  # of a seal; one of another form is not used, and the book is read from its beginning

# `since` has a row for each book that is read, `events` to `snapshots` the rows of those that are newer. The laterals keep the
# planner at probing book by book (OFFSET 0): nothing tells it how few rows of these large tables are asked for.
NEWER = """
    since AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(%(since)s::jsonb) AS s (
            book_id bigint, account_id uuid, events bigint, event_at timestamptz, transactions bigint,
            transaction_at timestamptz, cash numeric, realized_pl numeric, cost numeric, orders bigint, snapshots bigint,
            snapshot_at timestamptz, peak numeric, drawdown numeric, closed_trades int, winning_trades int, account jsonb,
            positions jsonb)
    ), events AS (
        SELECT e.* FROM (SELECT account_id, min(events) AS events FROM since GROUP BY 1) AS a
        CROSS JOIN LATERAL (
            SELECT * FROM portfolio_accountevent e WHERE e.account_id = a.account_id AND e.seq > a.events OFFSET 0
        ) AS e
        JOIN since s ON s.book_id = e.book_id
        WHERE e.seq > s.events
    ), transactions AS (
        SELECT t.* FROM since s CROSS JOIN LATERAL (
            SELECT * FROM portfolio_ledgertransaction t
            WHERE t.book_id = s.book_id AND t.sequence > s.transactions OFFSET 0
        ) AS t
    ), snapshots AS (
        SELECT x.* FROM since s CROSS JOIN LATERAL (
            SELECT * FROM portfolio_equitysnapshot x
            WHERE x.book_id = s.book_id AND x.at >= coalesce(s.snapshot_at, '-infinity') AND x.id > s.snapshots OFFSET 0
        ) AS x
    ), held_before AS (
        SELECT s.book_id, p.* FROM since s CROSS JOIN LATERAL jsonb_to_recordset(s.positions) AS p (
            symbol varchar, qty numeric, cost_basis numeric, realized_pl numeric, trade_pl numeric, mark_price numeric,
            mark_at timestamptz, updated_at timestamptz, unsettled boolean)
    )
"""

# What the opening of a run is hashed with. Where it is another than at the seal, the book is read from its beginning.
_FRAME = """
    encode(sha256(convert_to(jsonb_build_array(
        g.id, g.account_id, g.number, g.initial_cash, g.owner, g.policy, g.feed, g.engine_version, g.opened_at, g.reason,
        u.username)::text, 'UTF8')), 'hex')
"""

# All that stands of a book beside the rows that only grow, with how far those of its ledger and events reach; and what the
# minutes alone change, without anybody trading. An event after the last of an account is one of its latest book's.
_STATES = f"""
    SELECT b.id, {_FRAME}, encode(sha256(convert_to(jsonb_build_array(
        to_jsonb(b) - ARRAY['peak_equity', 'max_drawdown'], to_jsonb(g), to_jsonb(a), u.username,
        (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.symbol, p.id) FROM portfolio_position p WHERE p.book_id = b.id),
        (SELECT t.sequence FROM portfolio_ledgertransaction t WHERE t.book_id = b.id ORDER BY t.sequence DESC LIMIT 1),
        CASE WHEN NOT EXISTS (
            SELECT FROM portfolio_book x WHERE x.account_id = b.account_id AND x.generation_number > b.generation_number
        ) THEN (SELECT e.seq FROM portfolio_accountevent e WHERE e.account_id = b.account_id ORDER BY e.seq DESC LIMIT 1) END
        )::text, 'UTF8')), 'hex'), jsonb_build_array(b.peak_equity, b.max_drawdown, last.id, last.at)::text
    FROM portfolio_book b
    LEFT JOIN accounts_generation g ON g.id = b.generation_id
    LEFT JOIN accounts_paperaccount a ON a.id = b.account_id
    LEFT JOIN accounts_user u ON u.id = a.user_id
    LEFT JOIN LATERAL (
        SELECT s.id, s.at FROM portfolio_equitysnapshot s WHERE s.book_id = b.id ORDER BY s.at DESC, s.id DESC LIMIT 1
    ) AS last ON true
    WHERE b.id = ANY(%(books)s)
"""

_SEALS = """
    SELECT b.id, jsonb_build_object(
        'book_id', b.id, 'account_id', b.account_id, 'events', b.event_seq, 'event_at', e.at,
        'transactions', b.ledger_seq, 'head', b.ledger_head, 'transaction_at', t.at,
        'cash', b.cash, 'realized_pl', b.realized_pl, 'cost', coalesce(held.cost, 0),
        'orders', b.order_seq, 'snapshots', coalesce(last.id, 0), 'snapshot_at', last.at,
        'peak', b.peak_equity, 'drawdown', b.max_drawdown,
        'closed_trades', b.closed_trades, 'winning_trades', b.winning_trades,
        'account', jsonb_build_object(
            'name', a.name, 'created_at', a.created_at, 'updated_at', a.updated_at, 'reset_at', a.reset_at,
            'archived_at', a.archived_at),
        'positions', coalesce(held.positions, '[]'))::text
    FROM portfolio_book b
    JOIN accounts_paperaccount a ON a.id = b.account_id
    LEFT JOIN portfolio_accountevent e ON e.account_id = b.account_id AND e.seq = b.event_seq
    LEFT JOIN portfolio_ledgertransaction t ON t.book_id = b.id AND t.sequence = b.ledger_seq
    LEFT JOIN LATERAL (
        SELECT s.id, s.at FROM portfolio_equitysnapshot s WHERE s.book_id = b.id ORDER BY s.at DESC, s.id DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT sum(p.cost_basis) AS cost, jsonb_agg(jsonb_build_object(
            'symbol', p.symbol, 'qty', p.qty, 'cost_basis', p.cost_basis, 'realized_pl', p.realized_pl,
            'trade_pl', p.trade_pl, 'mark_price', p.mark_price, 'mark_at', p.mark_at, 'updated_at', p.updated_at,
            'unsettled', p.unsettled) ORDER BY p.symbol) AS positions
        FROM portfolio_position p WHERE p.book_id = b.id
    ) AS held ON true
    WHERE b.id = ANY(%(books)s)
"""


class Standing(NamedTuple):
    """How a book stands: hashes over what its run is carried on under, and over all of it that trading may change; its
    highest equity, deepest drawdown and last snapshot, which change by the minute."""

    frame: str
    state: str
    worth: str


def standing(book_ids: Sequence[int]) -> dict[int, Standing]:
    """How books stand now, by id; of those that exist."""
    with raw_cursor() as cursor:
        rows = cursor.execute(_STATES, {"books": list(book_ids)}).fetchall()
    return {book_id: Standing(*said) for book_id, *said in rows}


def seals(book_ids: Sequence[int]) -> dict[int, Seal]:
    """The seals of books that were just found right, by their ids. Call it at the instant at which they were read."""
    with raw_cursor() as cursor:
        rows = cursor.execute(_SEALS, {"books": list(book_ids)}).fetchall()
    # Decimals as text: a float would not be what was verified.
    return {book_id: json.loads(seal, parse_float=str) for book_id, seal in rows}


def a_minute_later(seal: Seal, worth: str) -> Seal:
    """The seal of a book that was just found right and stands as it did, but for its `Standing.worth`."""
    peak, drawdown, snapshot, at = json.loads(worth, parse_float=str)
    return {
        **seal,
        "worth": worth,
        "peak": peak,
        "drawdown": drawdown,
        "snapshots": snapshot or 0,
        "snapshot_at": at,
    }


def scope(books: Iterable[Book], sealed: Mapping[int, Seal], *, without: Collection[str] = ()) -> dict[str, Any]:
    """The parameters of `NEWER`: which books are read, and from where on. `without` names what no statement asks for."""
    rows = [sealed.get(book.pk) or _unsealed(book) for book in books]
    if without:
        rows = [{name: value for name, value in row.items() if name not in without} for row in rows]
    return {
        "books": [row["book_id"] for row in rows],
        "accounts": sorted({UUID(row["account_id"]) for row in rows}),
        "since": json.dumps(rows),
    }


def _unsealed(book: Book) -> Seal:
    """Where a book begins that nobody has verified yet."""
    zeros = dict.fromkeys(("events", "transactions", "orders", "snapshots"), 0)
    return {"book_id": book.pk, "account_id": str(book.account_id), **zeros}


def still_there(sealed: Collection[Seal]) -> list[tuple[int, str]]:
    """Of which sealed books the last transaction or event is gone or another, and which."""
    bounds = {
        name: [seal[name] for seal in sealed] for name in ("book_id", "account_id", "transactions", "head", "events")
    }
    with raw_cursor() as cursor:
        return cursor.execute(_STILL_THERE, bounds).fetchall()


_STILL_THERE = """
    SELECT s.book_id, CASE WHEN s.transactions > 0 AND t.hash IS DISTINCT FROM s.head
                THEN format('ledger transaction %%s, in which the last audit left it, is another or gone', s.transactions)
                ELSE format('event %%s, in which the last audit left it, is gone', s.events) END
    FROM unnest(%(book_id)s::bigint[], %(account_id)s::uuid[], %(transactions)s::bigint[], %(head)s::text[],
                %(events)s::bigint[]) AS s (book_id, account_id, transactions, head, events)
    LEFT JOIN LATERAL (
        SELECT t.hash FROM portfolio_ledgertransaction t
        WHERE t.book_id = s.book_id AND t.sequence = s.transactions OFFSET 0
    ) AS t ON true
    LEFT JOIN LATERAL (
        SELECT e.id FROM portfolio_accountevent e WHERE e.account_id = s.account_id AND e.seq = s.events OFFSET 0
    ) AS e ON true
    WHERE (s.transactions > 0 AND t.hash IS DISTINCT FROM s.head) OR (s.events > 0 AND e.id IS NULL)
"""
