"""What positions, and the figures of a book that follow from them, say beside fills, orders and ledger."""

from orders.comparisons import ASSET_CLASS, MULTIPLIER, NEWER_FILLS, OPEN_STATES
from portfolio.comparisons import OF_THESE_BOOKS, Comparison

# A position goes on from what it was at the seal. A settlement comes after all fills of its contract. A trade is closed by a
# return to flat, and won where the position gained since it was last flat.
_RUNNING = [
    NEWER_FILLS,
    """change AS (
        SELECT f.book_id, f.symbol, f.seq, CASE f.side WHEN 'buy' THEN f.qty ELSE -f.qty END AS qty, f.realized_pl
        FROM fills f
        UNION ALL
        SELECT t.book_id, t.symbol, 9223372036854775807, -t.qty, coalesce(sum(e.credit - e.debit), 0)
        FROM transactions t
        LEFT JOIN portfolio_ledgerentry e ON e.transaction_id = t.id AND e.account = 'realized_pl'
        WHERE t.kind = 'settlement'
        GROUP BY t.id, t.book_id, t.symbol, t.qty
        UNION ALL
        SELECT book_id, symbol, 0, qty, realized_pl FROM held_before
    )""",
    """running AS (
        SELECT book_id, symbol, seq, sum(qty) OVER so_far AS qty, sum(realized_pl) OVER so_far AS realized_pl
        FROM change WINDOW so_far AS (PARTITION BY book_id, symbol ORDER BY seq)
    )""",
    """flat AS (
        SELECT r.book_id, r.symbol, r.seq, r.realized_pl, r.realized_pl - coalesce(
                   lag(r.realized_pl) OVER (PARTITION BY r.book_id, r.symbol ORDER BY r.seq),
                   before.realized_pl - before.trade_pl, 0) AS gain
        FROM running r LEFT JOIN held_before before ON before.book_id = r.book_id AND before.symbol = r.symbol
        WHERE r.qty = 0 AND r.seq > 0
    )""",
]

POSITIONS = Comparison(
    table="portfolio_position",
    name="'position ' || coalesce(p.symbol, r.symbol) || ' of book ' || b.id",
    by="its fills, orders, ledger and events",
    with_=[
        *_RUNNING,
        """reached AS (
            SELECT r.book_id, r.symbol, r.qty, r.realized_pl - coalesce(
                       last_flat.realized_pl, before.realized_pl - before.trade_pl, 0) AS trade_pl,
                   before.mark_price, before.mark_at, before.updated_at, before.unsettled,
                   coalesce(before.cost_basis, 0) AS cost_basis, coalesce(before.realized_pl, 0) AS realized_pl
            FROM (SELECT DISTINCT ON (book_id, symbol) * FROM running ORDER BY book_id, symbol, seq DESC) AS r
            LEFT JOIN (SELECT DISTINCT ON (book_id, symbol) * FROM flat ORDER BY book_id, symbol, seq DESC) AS last_flat
                   ON last_flat.book_id = r.book_id AND last_flat.symbol = r.symbol
            LEFT JOIN held_before before ON before.book_id = r.book_id AND before.symbol = r.symbol
        )""",
        """booked AS (
            SELECT t.book_id, t.symbol,
                   coalesce(sum(e.debit - e.credit) FILTER (WHERE e.account = 'securities'), 0) AS cost,
                   coalesce(sum(e.credit - e.debit) FILTER (WHERE e.account = 'realized_pl'), 0) AS realized_pl
            FROM transactions t JOIN portfolio_ledgerentry e ON e.transaction_id = t.id
            WHERE t.symbol <> '' GROUP BY 1, 2
        )""",
        f"""held AS (
            SELECT book_id, symbol, sum(held_qty) AS qty FROM orders_order
            WHERE book_id = ANY(%(books)s) AND status IN ({OPEN_STATES}) GROUP BY 1, 2
        )""",
        """last AS (
            SELECT DISTINCT ON (f.book_id, f.symbol) f.book_id, f.symbol, q.bid, q.quoted_at, f.created_at
            FROM fills f JOIN marketdata_quoterecord q ON q.id = f.quote_id ORDER BY f.book_id, f.symbol, f.seq DESC
        )""",
        """ended AS (
            SELECT DISTINCT ON (e.book_id, e.symbol) e.book_id, e.symbol, e.type FROM events e
            WHERE e.type IN ('position_unsettled', 'position_settled') ORDER BY e.book_id, e.symbol, e.seq DESC
        )""",
    ],
    rows="""
        (SELECT * FROM portfolio_position WHERE book_id = ANY(%(books)s)) AS p
        FULL JOIN reached r ON r.book_id = p.book_id AND r.symbol = p.symbol
        JOIN portfolio_book b ON b.id = coalesce(p.book_id, r.book_id)
        LEFT JOIN booked k ON k.book_id = b.id AND k.symbol = coalesce(p.symbol, r.symbol)
        LEFT JOIN held h ON h.book_id = b.id AND h.symbol = coalesce(p.symbol, r.symbol)
        LEFT JOIN portfolio_mark m ON m.symbol = p.symbol
        LEFT JOIN last ON last.book_id = p.book_id AND last.symbol = p.symbol
        LEFT JOIN ended ON ended.book_id = p.book_id AND ended.symbol = p.symbol AND p.expires_on IS NOT NULL
        LEFT JOIN LATERAL (
            SELECT t.at, t.price FROM portfolio_ledgertransaction t
            WHERE t.book_id = p.book_id AND t.kind = 'settlement' AND t.symbol = p.symbol ORDER BY t.sequence DESC LIMIT 1
        ) AS settled ON p.expires_on IS NOT NULL
    """,
    where=OF_THESE_BOOKS,
    columns={
        "book_id": ("p.book_id", "coalesce(r.book_id, p.book_id)"),
        "symbol": ("p.symbol", "r.symbol"),
        "asset_class": ("p.asset_class", ASSET_CLASS.format("p")),
        "multiplier": ("p.multiplier", MULTIPLIER.format("p")),
        "qty": ("p.qty", "coalesce(r.qty, 0)"),
        "held_qty": ("p.held_qty", "coalesce(h.qty, 0)"),
        "cost_basis": ("p.cost_basis", "coalesce(r.cost_basis, 0) + coalesce(k.cost, 0)"),
        "realized_pl": ("p.realized_pl", "coalesce(r.realized_pl, 0) + coalesce(k.realized_pl, 0)"),
        "trade_pl": ("p.trade_pl", "CASE WHEN r.qty = 0 THEN 0 ELSE coalesce(r.trade_pl, 0) END"),
        # Known while it is that of the last fill, of the settlement or of the symbol; a later one is kept nowhere else. A quote
        # of the very stamp of the last fill's may have come after it: known while it is the symbol's.
        "mark_price": (
            "p.mark_price",
            """CASE p.mark_at WHEN settled.at THEN settled.price
                              WHEN last.quoted_at THEN CASE WHEN p.mark_price = last.bid THEN last.bid
                                                            WHEN m.quoted_at = p.mark_at THEN m.price
                                                            WHEN m.quoted_at > p.mark_at THEN p.mark_price ELSE last.bid END
                              WHEN r.mark_at THEN r.mark_price WHEN m.quoted_at THEN m.price ELSE p.mark_price END""",
        ),
        "mark_at": ("p.mark_at", "greatest(p.mark_at, last.quoted_at, r.mark_at)"),
        "expires_on": (
            "p.expires_on",
            "CASE WHEN p.symbol LIKE 'O:%%' THEN to_date('20' || left(right(p.symbol, 15), 6), 'YYYYMMDD') END",
        ),
        "unsettled": ("p.unsettled", "coalesce(ended.type = 'position_unsettled', r.unsettled, false)"),
        "updated_at": ("p.updated_at", "greatest(least(p.updated_at, b.last_at), last.created_at, r.updated_at)"),
    },
)

BOOKS_OF_ORDERS = Comparison(
    table="portfolio_book",
    name="'book ' || b.id",
    by="its orders and fills",
    with_=[
        *_RUNNING,
        "closed AS (SELECT book_id, count(*) AS trades, count(*) FILTER (WHERE gain > 0) AS won FROM flat GROUP BY 1)",
        f"""held AS (
            SELECT book_id, sum(held_cash) AS cash FROM orders_order
            WHERE book_id = ANY(%(books)s) AND status IN ({OPEN_STATES}) GROUP BY 1
        )""",
    ],
    rows="""
        portfolio_book b
        JOIN since s ON s.book_id = b.id
        LEFT JOIN closed c1 ON c1.book_id = b.id
        LEFT JOIN held h ON h.book_id = b.id
        LEFT JOIN portfolio_book earlier
               ON earlier.account_id = b.account_id AND earlier.generation_number = b.generation_number - 1
        LEFT JOIN LATERAL (
            SELECT o.number FROM orders_order o WHERE o.book_id = b.id ORDER BY o.number DESC LIMIT 1
        ) AS last ON true
    """,
    where=OF_THESE_BOOKS,
    columns={
        "held_cash": ("b.held_cash", "coalesce(h.cash, 0)"),
        "order_seq": ("b.order_seq", "coalesce(last.number, earlier.order_seq, 0)"),
        "closed_trades": ("b.closed_trades", "coalesce(s.closed_trades, 0) + coalesce(c1.trades, 0)"),
        "winning_trades": ("b.winning_trades", "coalesce(s.winning_trades, 0) + coalesce(c1.won, 0)"),
    },
)

OF_THE_POSITIONS = (POSITIONS, BOOKS_OF_ORDERS)
