"""What a head commits to beside the chain of a ledger: running hashes over all that never changes once it was written.

Each is taken in blocks of rows by the database and chained here, up to numbers that the head says, so that a book that has
grown since gives the same hash for the same numbers. What a format hashes is written out, column by column, and stays as it
is: a column that is added later belongs into the next format.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from papertrade.lib.postgres import raw_cursor
from portfolio.retention import THINNED

Head = dict[str, Any]
BLOCK_ROWS = 1000

# Events carry their orders along: the terms with the first event of an order, how it ended with its last one, and the fill
# with the event of its number. Between the two an order may change, and the audit compares it with its events.
_EVENTS = f"""
    SELECT h.book, sha256(convert_to(string_agg(json_build_array(
        e.seq, e.id, e.type, extract(epoch FROM e.at), extract(epoch FROM e.recorded_at), e.order_id, e.order_status,
        e.symbol, e.reason, e.fill_id, e.quote_id,
        CASE WHEN f.id IS NOT NULL THEN json_build_array(
            f.id, f.order_id, f.account_id, f.symbol, f.asset_class, f.side, f.qty, f.price, f.gross_amount, f.realized_pl,
            f.quote_id, f.ledger_transaction_id, extract(epoch FROM f.price_since), extract(epoch FROM f.created_at),
            extract(epoch FROM f.recorded_at)) END,
        CASE WHEN e.type = 'order_submitted' OR e.type = 'order_rejected' AND o.accepted_at IS NULL THEN json_build_array(
            o.number, o.account_id, o.book_id, o.client_order_id, o.symbol, o.asset_class, o.multiplier, o.side, o.type,
            o.time_in_force, o.position_intent, o.extended_hours, o.qty, o.limit_price, o.session_date,
            extract(epoch FROM o.expires_at), o.quote_id, extract(epoch FROM o.submitted_at),
            extract(epoch FROM o.accepted_at), extract(epoch FROM o.recorded_at)) END,
        CASE WHEN e.order_status IN ('filled', 'canceled', 'expired', 'rejected') THEN json_build_array(
            o.status, o.filled_qty, o.exact_cost, o.booked, o.held_cash, o.held_qty, o.rejected_reason, o.cancel_reason,
            o.no_fill_reason, extract(epoch FROM o.no_fill_at), o.evaluated_on, extract(epoch FROM o.updated_at),
            extract(epoch FROM o.filled_at), extract(epoch FROM o.canceled_at), extract(epoch FROM o.expired_at),
            extract(epoch FROM o.rejected_at))
        WHEN e.order_status = 'replaced' THEN json_build_array(
            o.status, o.filled_qty, o.exact_cost, o.booked, o.held_cash, o.held_qty, o.evaluated_on,
            extract(epoch FROM o.updated_at), extract(epoch FROM o.replaced_at), o.replaced_by_id) END
        )::text, E'\\n' ORDER BY e.seq), 'UTF8'))
    FROM unnest(%(book)s::bigint[], %(events)s::bigint[]) AS h (book, events)
    JOIN portfolio_book b ON b.id = h.book
    JOIN portfolio_accountevent e ON e.account_id = b.account_id AND e.book_id = b.id AND e.seq <= h.events
    LEFT JOIN orders_fill f ON f.book_id = e.book_id AND f.seq = e.seq
    LEFT JOIN orders_order o ON o.id = e.order_id
    GROUP BY h.book, e.seq / {BLOCK_ROWS} ORDER BY h.book, e.seq / {BLOCK_ROWS}
"""

# What a transaction's own hash leaves out, or did in the first form.
_LEDGER = f"""
    SELECT h.book, sha256(convert_to(string_agg(json_build_array(
        t.sequence, t.id, extract(epoch FROM t.recorded_at), t.form, t.description, t.quote_id, t.hash
        )::text, E'\\n' ORDER BY t.sequence), 'UTF8'))
    FROM unnest(%(book)s::bigint[], %(transactions)s::bigint[]) AS h (book, transactions)
    JOIN portfolio_ledgertransaction t ON t.book_id = h.book AND t.sequence <= h.transactions
    GROUP BY h.book, t.sequence / {BLOCK_ROWS} ORDER BY h.book, t.sequence / {BLOCK_ROWS}
"""

# Whose the run is and what it is carried on under; of a run that had ended also all that it came to.
_FRAME = """
    SELECT h.book, sha256(convert_to(json_build_array(
        g.id, g.account_id, a.user_id, u.username, extract(epoch FROM a.created_at), a.currency, g.number, g.initial_cash,
        g.owner, g.policy, g.feed, g.engine_version, extract(epoch FROM g.opened_at), g.reason,
        CASE WHEN h.closed THEN json_build_array(
            extract(epoch FROM g.closed_at), g.summary, b.cash, b.held_cash, b.realized_pl, b.peak_equity, b.max_drawdown,
            b.closed_trades, b.winning_trades, b.order_seq, b.event_seq, b.ledger_seq, b.ledger_head,
            extract(epoch FROM b.last_at), extract(epoch FROM b.closed_at), (
                SELECT json_agg(json_build_array(
                    p.id, p.symbol, p.asset_class, p.multiplier, p.qty, p.held_qty, p.cost_basis, p.realized_pl, p.trade_pl,
                    p.mark_price, extract(epoch FROM p.mark_at), p.expires_on, p.unsettled, extract(epoch FROM p.updated_at)
                ) ORDER BY p.symbol) FROM portfolio_position p WHERE p.book_id = b.id)) END
        )::text, 'UTF8'))
    FROM unnest(%(book)s::bigint[], %(closed)s::boolean[]) AS h (book, closed)
    JOIN portfolio_book b ON b.id = h.book
    JOIN accounts_generation g ON g.id = b.generation_id
    JOIN accounts_paperaccount a ON a.id = g.account_id
    JOIN accounts_user u ON u.id = a.user_id
"""

# By month, since old months are put away or thinned (portfolio.retention): all rows, and of the whole days before the last
# one those that thinning leaves.
_SNAPSHOTS = f"""
    SELECT s.book_id, to_char(s.month, 'YYYY-MM'), count(*),
           sha256(convert_to(string_agg(s.line, E'\\n' ORDER BY s.id), 'UTF8')),
           sha256(convert_to(coalesce(
               string_agg(s.line, E'\\n' ORDER BY s.id) FILTER (WHERE s.stays AND s.at < s.last_day), ''), 'UTF8'))
    FROM (
        SELECT s.id, s.book_id, s.at, date_trunc('month', s.at) AS month, {THINNED} AS stays,
               date_trunc('day', max(s.at) OVER (PARTITION BY s.book_id)) AS last_day,
               json_build_array(s.id, extract(epoch FROM s.at), s.equity, s.cash, s.market_value, s.realized_pl,
                                s.unrealized_pl, s.drawdown)::text AS line
        FROM unnest(%(book)s::bigint[], %(snapshot)s::bigint[]) AS h (book, snapshot)
        JOIN portfolio_equitysnapshot s ON s.book_id = h.book AND s.id <= h.snapshot
    ) AS s
    GROUP BY s.book_id, s.month ORDER BY s.book_id, s.month
"""

_KEYS = """
    SELECT k.id::text, encode(sha256(convert_to(json_build_array(
               k.user_id, u.username, k.name, k.prefix, k.secret_sha256, k.scopes, extract(epoch FROM k.created_at))::text,
               'UTF8')), 'hex'), extract(epoch FROM k.revoked_at)::text
    FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id
    WHERE %(keys)s::uuid[] IS NULL OR k.id = ANY(%(keys)s::uuid[]) ORDER BY k.id
"""

_REPORTS = """
    SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(json_build_array(
        id, scope, by, extract(epoch FROM started_at), extract(epoch FROM finished_at), books, difference_count,
        differences, form, extent, sealed)::text, E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')
    FROM portfolio_auditreport WHERE id <= %(last)s
"""


def of_books(heads: Sequence[Head]) -> list[dict[str, Any]]:
    """The hashes that belong to these heads, in their order, by name: events, ledger, frame, snapshots by month."""
    bounds = {name: [head[name] for head in heads] for name in ("book", "events", "transactions", "closed", "snapshot")}
    with raw_cursor() as cursor:
        events = _chained(cursor.execute(_EVENTS, bounds).fetchall())
        ledger = _chained(cursor.execute(_LEDGER, bounds).fetchall())
        frames = {book: digest.hex() for book, digest in cursor.execute(_FRAME, bounds).fetchall()}
        months: dict[int, dict[str, list[Any]]] = {}
        for book, month, rows, whole, thinned in cursor.execute(_SNAPSHOTS, bounds).fetchall():
            months.setdefault(book, {})[month] = [rows, whole.hex(), thinned.hex()]
    return [
        {
            "events": events.get(book, ""),
            "ledger": ledger.get(book, ""),
            "frame": frames.get(book, ""),
            "snapshots": months.get(book, {}),
        }
        for book in bounds["book"]
    ]


def of_keys(key_ids: Iterable[str] | None = None) -> dict[str, tuple[str, str | None]]:
    """Of each API key, by default of all, a hash (whose it is, its secret's hash, what it may do) and when it was revoked."""
    with raw_cursor() as cursor:
        wanted = {"keys": None if key_ids is None else list(key_ids)}
        return {key: (digest, revoked) for key, digest, revoked in cursor.execute(_KEYS, wanted).fetchall()}


def of_reports(last: int) -> list[Any]:
    """How many audit reports there are up to this id, and a hash over them."""
    with raw_cursor() as cursor:
        return list(cursor.execute(_REPORTS, {"last": last}).fetchone() or ())


def _chained(blocks: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """One hash a book over the hashes of its blocks, in order."""
    running: dict[int, str] = {}
    for book, digest in blocks:
        running[book] = hashlib.sha256(f"{running.get(book, '')}\n{digest.hex()}".encode()).hexdigest()
    return running


# What release 0.1 wrote into its files: one hash over events, fills and the terms of orders.
FIRST_EVIDENCE = """
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


def in_first_format(heads: Sequence[Head]) -> list[str | None]:
    """The one hash of each head that a file of format 1 says."""
    bounds = {name: [head[name] for head in heads] for name in ("book", "events", "orders")}
    with raw_cursor() as cursor:
        found = dict(cursor.execute(FIRST_EVIDENCE, bounds).fetchall())
    return [found.get(head["book"]) for head in heads]
