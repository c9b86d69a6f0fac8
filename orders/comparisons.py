"""What orders, fills and positions say, beside what they are recomputed from (see portfolio.comparisons)."""

from orders.states import OPEN, CancelReason
from portfolio.comparisons import Comparison, Finding, with_tables

OPEN_STATES = ", ".join(f"'{status}'" for status in sorted(OPEN))
_CANCEL_REASONS = ", ".join(f"'{reason}'" for reason in sorted(CancelReason))
ASSET_CLASS = "CASE WHEN {0}.symbol LIKE 'O:%%' THEN 'us_option' ELSE 'us_equity' END"
MULTIPLIER = "CASE WHEN {0}.symbol LIKE 'O:%%' THEN 100 ELSE 1 END"

# Orders from before the seal that are read once more: those that were open then, are now, or to which something happened.
TOUCHED = f"""
    {with_tables()}
    SELECT o.id FROM since s JOIN orders_order o ON o.book_id = s.book_id
    WHERE o.number <= s.orders AND o.status IN ({OPEN_STATES})
    UNION
    SELECT o.id FROM unnest(%(open_books)s::bigint[], %(open_numbers)s::bigint[]) AS s (book_id, number)
    JOIN orders_order o ON o.book_id = s.book_id AND o.number = s.number
    UNION
    SELECT o.id FROM since s JOIN events e ON e.book_id = s.book_id JOIN orders_order o ON o.id = e.order_id
    WHERE o.number <= s.orders
"""
OPEN_NUMBERS = f"""
    SELECT book_id, array_agg(number ORDER BY number) FROM orders_order
    WHERE book_id = ANY(%(books)s) AND status IN ({OPEN_STATES}) GROUP BY 1
"""

# What stands of a book's orders: those that are open, and how far orders and fills reach.
STANDING_ORDERS = f"""
    SELECT b.id, encode(sha256(convert_to(jsonb_build_array(
        (SELECT jsonb_agg(to_jsonb(o) ORDER BY o.number) FROM orders_order o
         WHERE o.book_id = b.id AND o.status IN ({OPEN_STATES})),
        (SELECT o.number FROM orders_order o WHERE o.book_id = b.id ORDER BY o.number DESC LIMIT 1),
        (SELECT f.seq FROM orders_fill f WHERE f.book_id = b.id ORDER BY f.seq DESC LIMIT 1)
        )::text, 'UTF8')), 'hex')
    FROM unnest(%(books)s::bigint[]) AS b (id)
"""

NEWER_FILLS = """fills AS (
    SELECT f.* FROM since s CROSS JOIN LATERAL (
        SELECT * FROM orders_fill f WHERE f.book_id = s.book_id AND f.seq > s.events OFFSET 0
    ) AS f
)"""
# All fills of the orders that are read, old or new.
FILLS_OF_ORDERS = """fills_of_orders AS (
    SELECT * FROM fills
    UNION ALL
    SELECT f.* FROM unnest(%(touched)s::uuid[]) AS t (id) CROSS JOIN LATERAL (
        SELECT * FROM orders_fill f WHERE f.order_id = t.id OFFSET 0
    ) AS f
    JOIN since s ON s.book_id = f.book_id WHERE f.seq <= s.events
)"""

# A hold is what is left at the price that it was taken for, less what rounding has booked ahead (trading-rules.md section
# 4): the limit; the ask of a market order's first quote; after its first fill that fill's price, as far as the cash went.
_HELD_CASH = f"""
    CASE WHEN o.status NOT IN ({OPEN_STATES}) OR o.side = 'sell' THEN 0
         WHEN o.limit_price IS NOT NULL THEN
             portfolio_round_half_even(o.exact_cost + (o.qty - o.filled_qty) * o.limit_price * o.multiplier, 4) - o.booked
         WHEN filled.qty IS NOT NULL THEN least(o.held_cash, portfolio_round_half_even(
             o.exact_cost + (o.qty - o.filled_qty) * filled.last_price * o.multiplier, 4) - o.booked)
         WHEN q.quoted_at > o.submitted_at AND o.held_cash = 0 THEN 0
         WHEN q.bid > 0 AND q.ask >= q.bid AND coalesce(q.bid_size, 0) >= 0 AND coalesce(q.ask_size, 0) >= 0
             THEN portfolio_round_half_even(o.qty * q.ask * o.multiplier, 4)
         ELSE 0 END
"""

ORDERS = Comparison(
    table="orders_order",
    name="'order ' || o.number || ' of book ' || o.book_id",
    by="its fills, events and terms",
    with_=[
        NEWER_FILLS,
        FILLS_OF_ORDERS,
        """filled AS (
            SELECT f.order_id, sum(f.qty) AS qty, sum(f.gross_amount) AS booked, sum(f.qty * f.price) AS cost,
                   (array_agg(f.price ORDER BY f.seq DESC))[1] AS last_price
            FROM fills_of_orders f GROUP BY 1
        )""",
    ],
    rows="""
        (
            SELECT o.*, lag(o.number) OVER (PARTITION BY o.book_id ORDER BY o.number) AS previous_number
            FROM since s CROSS JOIN LATERAL (
                SELECT * FROM orders_order o WHERE o.book_id = s.book_id AND o.number > s.orders OFFSET 0
            ) AS o
            UNION ALL
            SELECT o.*, o.number - 1 FROM unnest(%(touched)s::uuid[]) AS t (id) JOIN orders_order o ON o.id = t.id
        ) AS o
        JOIN since s ON s.book_id = o.book_id
        JOIN portfolio_book b ON b.id = o.book_id
        LEFT JOIN filled ON filled.order_id = o.id
        LEFT JOIN marketdata_quoterecord q ON q.id = o.quote_id
        LEFT JOIN orders_order heir ON heir.id = o.replaced_by_id
        LEFT JOIN orders_order before ON before.id = o.replaces_id
        LEFT JOIN LATERAL (
            SELECT e.type, e.at, e.quote_id, e.order_status FROM portfolio_accountevent e
            WHERE e.order_id = o.id ORDER BY e.seq LIMIT 1
        ) AS first ON true
        LEFT JOIN LATERAL (
            SELECT e.type, e.at, e.reason, e.order_status, e.symbol FROM portfolio_accountevent e
            WHERE e.order_id = o.id ORDER BY e.seq DESC LIMIT 1
        ) AS last ON true
    """,
    columns={
        "account_id": ("o.account_id", "b.account_id"),
        "number": (
            "o.number",
            """1 + coalesce(o.previous_number, nullif(s.orders, 0), (
                SELECT x.order_seq FROM portfolio_book x
                WHERE x.account_id = b.account_id AND x.generation_number = b.generation_number - 1), 0)""",
        ),
        "symbol": ("o.symbol", "last.symbol"),
        "asset_class": ("o.asset_class", ASSET_CLASS.format("o")),
        "multiplier": ("o.multiplier", MULTIPLIER.format("o")),
        "status": ("o.status", "last.order_status"),
        "filled_qty": ("o.filled_qty", "coalesce(filled.qty, 0)"),
        "exact_cost": ("o.exact_cost", "coalesce(filled.cost, 0) * o.multiplier"),
        "booked": ("o.booked", "coalesce(filled.booked, 0)"),
        "held_cash": ("o.held_cash", _HELD_CASH),
        "held_qty": (
            "o.held_qty",
            f"CASE WHEN o.side = 'sell' AND o.status IN ({OPEN_STATES}) THEN o.qty - o.filled_qty ELSE 0 END",
        ),
        "rejected_reason": ("o.rejected_reason", "CASE last.order_status WHEN 'rejected' THEN last.reason ELSE '' END"),
        # An operator's note stands in the event of a cancel in place of its reason.
        "cancel_reason": (
            "o.cancel_reason",
            f"""CASE WHEN last.order_status <> 'canceled' THEN ''
                     WHEN last.reason IN ({_CANCEL_REASONS}) THEN last.reason ELSE 'requested' END""",
        ),
        "no_fill_reason": ("o.no_fill_reason", "CASE last.type WHEN 'order_evaluated' THEN last.reason ELSE '' END"),
        "no_fill_at": ("o.no_fill_at", "CASE last.type WHEN 'order_evaluated' THEN last.at END"),
        "quote_id": ("o.quote_id", "first.quote_id"),
        "submitted_at": ("o.submitted_at", "first.at"),
        "accepted_at": ("o.accepted_at", "CASE first.type WHEN 'order_submitted' THEN first.at END"),
        "updated_at": ("o.updated_at", "last.at"),
        "filled_at": ("o.filled_at", "CASE last.order_status WHEN 'filled' THEN last.at END"),
        "canceled_at": ("o.canceled_at", "CASE last.order_status WHEN 'canceled' THEN last.at END"),
        "expired_at": ("o.expired_at", "CASE last.order_status WHEN 'expired' THEN o.expires_at END"),
        "rejected_at": ("o.rejected_at", "CASE last.order_status WHEN 'rejected' THEN last.at END"),
        "replaced_at": ("o.replaced_at", "CASE last.order_status WHEN 'replaced' THEN last.at END"),
        # An order and the one that took its place name each other, and were parted at one instant.
        "replaced_by_id": (
            "o.replaced_by_id",
            """CASE WHEN last.order_status = 'replaced' AND heir.replaces_id = o.id AND heir.book_id = o.book_id
                     AND heir.submitted_at = o.replaced_at AND heir.number > o.number THEN o.replaced_by_id END""",
        ),
        "replaces_id": (
            "o.replaces_id",
            """CASE WHEN before.replaced_by_id = o.id AND (before.book_id, before.symbol, before.side, before.type)
                     = (o.book_id, o.symbol, o.side, o.type) THEN o.replaces_id END""",
        ),
    },
)

# Rounding telescopes: what a fill books is the rounded exact cost so far less what was booked before.
FILLS = Comparison(
    table="orders_fill",
    name="'fill ' || f.id",
    by="its order, event, quote and ledger transaction",
    with_=[
        NEWER_FILLS,
        FILLS_OF_ORDERS,
        """cost AS (
            SELECT f.id, portfolio_round_half_even(sum(f.qty * f.price * o.multiplier) OVER so_far, 4)
                       - coalesce(sum(f.gross_amount) OVER before, 0) AS amount
            FROM fills_of_orders f JOIN orders_order o ON o.id = f.order_id
            WINDOW so_far AS (PARTITION BY f.order_id ORDER BY f.seq),
                   before AS (PARTITION BY f.order_id ORDER BY f.seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )""",
    ],
    rows="""
        fills f
        JOIN portfolio_book b ON b.id = f.book_id
        LEFT JOIN cost ON cost.id = f.id
        LEFT JOIN orders_order o ON o.id = f.order_id
        LEFT JOIN portfolio_accountevent e ON e.account_id = b.account_id AND e.seq = f.seq
        LEFT JOIN marketdata_quoterecord q ON q.id = f.quote_id
        LEFT JOIN portfolio_ledgertransaction t ON t.id = f.ledger_transaction_id AND t.order_number = o.number
              AND t.book_id = f.book_id AND t.kind = f.side AND t.symbol = f.symbol AND t.quote_id = f.quote_id
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(credit - debit) FILTER (WHERE account = 'realized_pl'), 0) AS realized_pl
            FROM portfolio_ledgerentry WHERE transaction_id = t.id
        ) AS booked ON true
    """,
    columns={
        "id": ("f.id", "e.fill_id"),
        "order_id": ("f.order_id", "e.order_id"),
        "account_id": ("f.account_id", "b.account_id"),
        "book_id": ("f.book_id", "o.book_id"),
        "symbol": ("f.symbol", "o.symbol"),
        "asset_class": ("f.asset_class", ASSET_CLASS.format("f")),
        "side": ("f.side", "o.side"),
        "qty": ("f.qty", "CASE WHEN f.ledger_transaction_id IS NULL THEN f.qty ELSE t.qty END"),
        "price": ("f.price", "CASE WHEN q.symbol = f.symbol THEN CASE f.side WHEN 'buy' THEN q.ask ELSE q.bid END END"),
        "gross_amount": ("f.gross_amount", "cost.amount"),
        "realized_pl": ("f.realized_pl", "booked.realized_pl"),
        "quote_id": ("f.quote_id", "e.quote_id"),
        "price_since": ("f.price_since", "least(f.price_since, q.quoted_at)"),
        "ledger_transaction_id": ("f.ledger_transaction_id", "t.id"),
        "created_at": ("f.created_at", "e.at"),
    },
)

TRANSACTIONS = Comparison(
    table="portfolio_ledgertransaction",
    name="'ledger transaction ' || t.sequence || ' of book ' || t.book_id",
    by="its fill or its settlement",
    rows="""
        transactions t
        JOIN portfolio_book b ON b.id = t.book_id
        LEFT JOIN orders_fill f ON f.ledger_transaction_id = t.id
        LEFT JOIN LATERAL (
            SELECT e.at, e.reason FROM portfolio_accountevent e
            WHERE t.kind = 'settlement' AND e.account_id = b.account_id AND e.book_id = b.id
              AND e.type = 'position_settled' AND e.symbol = t.symbol AND e.at = t.at LIMIT 1
        ) AS settled ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(debit - credit) FILTER (WHERE account = 'cash'), 0) AS cash
            FROM portfolio_ledgerentry WHERE transaction_id = t.id
        ) AS moved ON t.kind IN ('buy', 'sell')
    """,
    columns={
        "id": ("CASE WHEN t.kind IN ('buy', 'sell') THEN t.id END", "f.ledger_transaction_id"),
        "at": ("CASE WHEN t.kind <> 'opening' THEN t.at END", "coalesce(f.created_at, settled.at)"),
        "price": ("t.price", "coalesce(f.price, t.price)"),
        "description": ("t.description", "coalesce(settled.reason, '')"),
        "amount": ("abs(moved.cash)", "f.gross_amount"),
    },
)

EVENTS_OF_ORDERS = Comparison(
    table="portfolio_accountevent",
    name="'event ' || e.seq || ' of account ' || e.account_id",
    by="its order and its fill",
    rows="""
        events e
        LEFT JOIN orders_order o ON o.id = e.order_id
        LEFT JOIN orders_fill f ON f.book_id = e.book_id AND f.seq = e.seq
    """,
    columns={
        "book_id": ("e.book_id", "coalesce(o.book_id, e.book_id)"),
        "type": ("e.type", "CASE WHEN f.id IS NULL THEN nullif(e.type, 'order_filled') ELSE 'order_filled' END"),
        "order_id": ("e.order_id", "o.id"),
        "symbol": ("e.symbol", "coalesce(o.symbol, e.symbol)"),
        "fill_id": ("e.fill_id", "f.id"),
    },
)

# What an event says was done; the events of 0.1 do not say.
DONE = Comparison(
    table="portfolio_accountevent",
    name="'event ' || e.seq || ' of account ' || e.account_id",
    by="its fill or its settlement",
    with_=[
        NEWER_FILLS,
        FILLS_OF_ORDERS,
        """of_order AS (
            SELECT id, sum(qty) OVER (PARTITION BY order_id ORDER BY seq) AS filled_qty FROM fills_of_orders
        )""",
        """of_position AS (
            SELECT id, sum(change) OVER (PARTITION BY book_id, symbol ORDER BY seq) AS position_qty
            FROM (
                SELECT id, book_id, symbol, seq, CASE side WHEN 'buy' THEN qty ELSE -qty END AS change FROM fills
                UNION ALL
                SELECT NULL, book_id, symbol, 0, qty FROM held_before
            ) AS changes
        )""",
        """done AS (
            SELECT f.book_id, f.seq, f.order_id, f.qty, f.price, f.gross_amount AS amount, o.filled_qty, p.position_qty
            FROM fills f JOIN of_order o ON o.id = f.id JOIN of_position p ON p.id = f.id
        )""",
    ],
    rows="""
        events e
        LEFT JOIN done ON done.book_id = e.book_id AND done.seq = e.seq
        LEFT JOIN orders_order o ON o.id = done.order_id
        LEFT JOIN portfolio_ledgertransaction t ON e.type = 'position_settled' AND t.book_id = e.book_id
              AND t.kind = 'settlement' AND t.symbol = e.symbol
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(debit - credit) FILTER (WHERE account = 'cash'), 0) AS cash
            FROM portfolio_ledgerentry WHERE transaction_id = t.id
        ) AS moved ON t.id IS NOT NULL
    """,
    where="e.qty IS NOT NULL",
    columns={
        "qty": ("e.qty", "coalesce(done.qty, t.qty)"),
        "price": ("e.price", "coalesce(done.price, t.price)"),
        "amount": ("e.amount", "coalesce(done.amount, moved.cash)"),
        "filled_qty": ("e.filled_qty", "done.filled_qty"),
        "remaining_qty": ("e.remaining_qty", "o.qty - done.filled_qty"),
        "position_qty": ("e.position_qty", "CASE WHEN t.id IS NOT NULL THEN 0 ELSE done.position_qty END"),
    },
)

# A quote is named by its contents (marketdata.quotes.Quote.id), here spelled by the database.
QUOTES = Finding(
    table="marketdata_quoterecord",
    columns=("id", "symbol", "bid", "ask", "bid_size", "ask_size", "quoted_at", "feed"),
    statement=f"""
        {with_tables()}
        SELECT 'quote ' || used.quote_id, 'it is not in the database, or not what its name says: it was changed'
        FROM (SELECT DISTINCT e.quote_id FROM events e WHERE e.quote_id IS NOT NULL) AS used
        LEFT JOIN marketdata_quoterecord q ON q.id = used.quote_id
        WHERE used.quote_id IS DISTINCT FROM encode(substr(sha256(convert_to(concat_ws(E'\\n', q.symbol,
            coalesce(trim_scale(q.bid)::text, ''), coalesce(trim_scale(q.ask)::text, ''),
            coalesce(trim_scale(q.bid_size)::text, ''), coalesce(trim_scale(q.ask_size)::text, ''),
            to_char(q.quoted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00', q.feed), 'UTF8')), 1, 16),
            'hex')::uuid
    """,
)

IN_THE_ORDERS = (ORDERS, FILLS, TRANSACTIONS, EVENTS_OF_ORDERS, DONE, QUOTES)
