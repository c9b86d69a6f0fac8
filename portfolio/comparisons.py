"""What rows of the books say, beside what they are recomputed from: one comparison a table.

The audit runs each as one statement over some books, from their seals on (portfolio.seals): a row that only grows is read
where it is newer, and what came before it is what the seal says. A comparison names the columns that it answers for, so that
what is proven of a table (docs/proof.md) is read from here and cannot be out of date.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from portfolio.seals import NEWER

OF_THESE_BOOKS = "b.account_id = ANY(%(accounts)s) AND b.id = ANY(%(books)s)"


def with_tables(*tables: str) -> str:
    """The WITH of a statement: the newer rows, and more common tables."""
    return f"WITH {', '.join((NEWER, *tables))}"


@dataclass(frozen=True)
class Comparison:
    """Columns of a table beside what other rows say of them.

    `rows` is SQL from FROM on that yields each row once; it and the common tables of `with_` may use those of `NEWER`,
    `%(accounts)s` and those of their books that are `%(books)s`. `name` is SQL for what a difference calls the row; `columns`
    maps a column to (what is stored, what is told) in SQL; `by` says in words who tells.
    """

    table: str
    name: str
    by: str
    rows: str
    columns: Mapping[str, tuple[str, str]]
    where: str = "true"
    with_: Sequence[str] = ()

    @cached_property
    def statement(self) -> str:
        """Gives (name, problem). Values are compared first, and put into words only where they differ."""
        stored, told = zip(*self.columns.values(), strict=True)
        spelled = ", ".join(
            f"('{column.removesuffix('_id').replace('_', ' ')}', ({mine})::text, ({theirs})::text, "
            f"({mine}) IS DISTINCT FROM ({theirs}))"
            for column, (mine, theirs) in self.columns.items()
        )
        return f"""
            {with_tables(*self.with_)}
            SELECT {self.name}, format('its %%s is %%s, {self.by} say %%s', c.name, coalesce(c.stored, 'nothing'),
                                       coalesce(c.told, 'nothing'))
            FROM {self.rows} CROSS JOIN LATERAL (VALUES {spelled}) AS c (name, stored, told, differs)
            WHERE {self.where} AND ROW({", ".join(stored)}) IS DISTINCT FROM ROW({", ".join(told)}) AND c.differs
        """


@dataclass(frozen=True)
class Finding:
    """A statement of its own that gives (name, problem), and the columns that it answers for."""

    table: str
    columns: Collection[str]
    statement: str


GENERATIONS = Comparison(
    table="accounts_generation",
    name="'generation ' || g.number || ' of account ' || g.account_id",
    by="its book, opening, events and owner",
    where=OF_THESE_BOOKS,
    rows="""
        portfolio_book b
        JOIN accounts_generation g ON g.id = b.generation_id
        LEFT JOIN portfolio_book earlier
               ON earlier.account_id = b.account_id AND earlier.generation_number = b.generation_number - 1
        LEFT JOIN accounts_paperaccount a ON a.id = g.account_id
        LEFT JOIN accounts_user u ON u.id = a.user_id
        LEFT JOIN portfolio_ledgertransaction t ON t.book_id = b.id AND t.sequence = 1 AND t.kind = 'opening'
        LEFT JOIN LATERAL (
            SELECT sum(credit - debit) AS capital FROM portfolio_ledgerentry
            WHERE transaction_id = t.id AND account = 'capital'
        ) AS opening ON true
        LEFT JOIN LATERAL (
            SELECT e.reason FROM portfolio_accountevent e
            WHERE e.account_id = b.account_id AND e.book_id = b.id AND e.type IN ('account_opened', 'account_reset')
              AND e.seq > coalesce(earlier.event_seq, 0)
            ORDER BY e.seq LIMIT 1
        ) AS begun ON true
    """,
    columns={
        "account_id": ("g.account_id", "b.account_id"),
        "number": (
            "g.number",
            "(SELECT count(*) FROM accounts_generation x WHERE x.account_id = g.account_id AND x.number <= g.number)",
        ),
        "initial_cash": ("g.initial_cash", "opening.capital"),
        "opened_at": ("g.opened_at", "t.at"),
        "closed_at": ("g.closed_at", "b.closed_at"),
        "reason": ("g.reason", "begun.reason"),
        # A generation of release 0.1 does not say whose it was.
        "owner": ("g.owner", "CASE WHEN g.owner = '' THEN '' ELSE u.username END"),
    },
)

# An account is judged with its latest book.
ACCOUNTS = Comparison(
    table="accounts_paperaccount",
    name="'account ' || a.id",
    by="its events",
    with_=[
        """happened AS (
            SELECT e.account_id, min(e.at) AS created_at, max(e.at) AS updated_at,
                   max(e.at) FILTER (WHERE e.type = 'account_reset') AS reset_at,
                   max(e.at) FILTER (WHERE e.type = 'account_archived') AS archived_at,
                   (array_agg(e.reason ORDER BY e.seq DESC) FILTER (WHERE e.type = 'account_renamed'))[1] AS name
            FROM (SELECT account_id, min(events) AS events FROM since GROUP BY 1) AS s
            CROSS JOIN LATERAL (
                SELECT * FROM portfolio_accountevent e
                WHERE e.account_id = s.account_id AND e.seq > s.events AND e.type IN (
                    'account_opened', 'account_renamed', 'account_reset', 'account_archived') OFFSET 0
            ) AS e
            GROUP BY 1
        )""",
        """before AS (
            SELECT DISTINCT ON (s.account_id) s.account_id, x.* FROM since s
            CROSS JOIN LATERAL jsonb_to_record(s.account) AS x (
                name varchar, created_at timestamptz, updated_at timestamptz, reset_at timestamptz, archived_at timestamptz)
            WHERE s.account IS NOT NULL ORDER BY s.account_id, s.events DESC
        )""",
    ],
    rows="""
        portfolio_book b
        JOIN accounts_paperaccount a ON a.id = b.account_id
        LEFT JOIN happened h ON h.account_id = a.id
        LEFT JOIN before ON before.account_id = a.id
    """,
    where=OF_THESE_BOOKS
    + """ AND b.generation_number = (SELECT max(x.generation_number) FROM portfolio_book x WHERE x.account_id = a.id)""",
    columns={
        "name": ("a.name", "coalesce(h.name, before.name, a.name)"),
        "status": (
            "a.status",
            "CASE WHEN coalesce(h.archived_at, before.archived_at) IS NULL THEN 'active' ELSE 'archived' END",
        ),
        "currency": ("a.currency", "'USD'"),
        "created_at": ("a.created_at", "coalesce(before.created_at, h.created_at)"),
        "updated_at": ("a.updated_at", "coalesce(h.updated_at, before.updated_at)"),
        "reset_at": ("a.reset_at", "coalesce(h.reset_at, before.reset_at)"),
        "archived_at": ("a.archived_at", "coalesce(h.archived_at, before.archived_at)"),
    },
)

# Retention (portfolio.retention) may have taken the highest equity away with its month; of a month that was thinned each
# hour's is left, so that only a drawdown between the two may look too deep.
_DETACHED = (
    "g.opened_at < (SELECT max(month) + interval '1 month' FROM portfolio_snapshotmonth WHERE state = 'detached')"
)
_THINNED = "s.at < (SELECT max(month) + interval '1 month' FROM portfolio_snapshotmonth WHERE state = 'thinned')"

# What of a book neither its ledger (portfolio.audit) nor its orders (orders.comparisons) tell.
BOOKS = Comparison(
    table="portfolio_book",
    name="'book ' || b.id",
    by="its generation, events and snapshots",
    rows="""
        portfolio_book b
        LEFT JOIN accounts_generation g ON g.id = b.generation_id
        LEFT JOIN portfolio_book earlier
               ON earlier.account_id = b.account_id AND earlier.generation_number = b.generation_number - 1
        JOIN since s ON s.book_id = b.id
        LEFT JOIN (SELECT book_id, max(seq) AS seq, max(at) AS at FROM events GROUP BY 1) AS last ON last.book_id = b.id
        LEFT JOIN (SELECT book_id, max(equity) AS peak, max(drawdown) AS drawdown FROM snapshots GROUP BY 1) AS newer
               ON newer.book_id = b.id
        CROSS JOIN LATERAL (
            SELECT greatest(s.peak, newer.peak) AS peak, greatest(s.drawdown, newer.drawdown) AS drawdown
        ) AS worth
    """,
    where=OF_THESE_BOOKS,
    columns={
        "account_id": ("b.account_id", "g.account_id"),
        "generation_number": ("b.generation_number", "g.number"),
        "event_seq": ("b.event_seq", "coalesce(last.seq, nullif(s.events, 0), earlier.event_seq, 0)"),
        "peak_equity": (
            "b.peak_equity",
            f"CASE WHEN {_DETACHED} THEN greatest(b.peak_equity, worth.peak) ELSE worth.peak END",
        ),
        "max_drawdown": (
            "b.max_drawdown",
            f"CASE WHEN {_DETACHED} THEN greatest(b.max_drawdown, worth.drawdown) ELSE worth.drawdown END",
        ),
        "last_at": ("b.last_at", "coalesce(b.closed_at, greatest(b.last_at, last.at, s.event_at))"),
    },
)

EVENTS = Comparison(
    table="portfolio_accountevent",
    name="'event ' || e.seq || ' of account ' || e.account_id",
    by="its book and the events before it",
    rows="""
        (
            SELECT e.*, lag(e.seq) OVER before AS previous_seq, lag(e.at) OVER before AS previous_at
            FROM events e WINDOW before AS (PARTITION BY e.book_id ORDER BY e.seq)
        ) AS e
        JOIN since s ON s.book_id = e.book_id
        JOIN portfolio_book b ON b.id = e.book_id
    """,
    columns={
        "account_id": ("e.account_id", "b.account_id"),
        "seq": (
            "e.seq",
            """1 + coalesce(e.previous_seq, nullif(s.events, 0), (
                SELECT x.event_seq FROM portfolio_book x
                WHERE x.account_id = b.account_id AND x.generation_number = b.generation_number - 1), 0)""",
        ),
        "at": ("e.at", "greatest(e.at, e.previous_at, s.event_at)"),
        "order_status": (
            "e.order_status",
            """CASE WHEN e.order_id IS NULL THEN '' ELSE CASE e.type
                WHEN 'order_submitted' THEN 'accepted' WHEN 'order_rejected' THEN 'rejected'
                WHEN 'order_canceled' THEN 'canceled' WHEN 'order_expired' THEN 'expired'
                WHEN 'order_replaced' THEN 'replaced'
                WHEN 'order_filled' THEN CASE e.order_status WHEN 'partially_filled' THEN e.order_status ELSE 'filled' END
                WHEN 'order_evaluated' THEN CASE e.order_status WHEN 'partially_filled' THEN e.order_status ELSE 'new' END
                END END""",
        ),
    },
)

# Cash, realized P/L and cost are those after one of the transactions of its instant, or after the last one before it.
SNAPSHOTS_IN_LEDGER = Finding(
    table="portfolio_equitysnapshot",
    columns=("book_id", "cash", "realized_pl", "unrealized_pl"),
    statement=f"""
        {with_tables()}, booked AS (
            SELECT t.book_id, t.sequence, t.at,
                   coalesce(sum(e.debit - e.credit) FILTER (WHERE e.account = 'cash'), 0) AS cash,
                   coalesce(sum(e.credit - e.debit) FILTER (WHERE e.account = 'realized_pl'), 0) AS realized_pl,
                   coalesce(sum(e.debit - e.credit) FILTER (WHERE e.account = 'securities'), 0) AS cost
            FROM transactions t LEFT JOIN portfolio_ledgerentry e ON e.transaction_id = t.id
            GROUP BY t.id, t.book_id, t.sequence, t.at
            UNION ALL
            SELECT book_id, transactions, transaction_at, cash, realized_pl, cost FROM since WHERE transactions > 0
        ), standing AS (
            SELECT book_id, at, coalesce(lead(at) OVER so_far, 'infinity') AS until, sum(cash) OVER so_far AS cash,
                   sum(realized_pl) OVER so_far AS realized_pl, sum(cost) OVER so_far AS cost
            FROM booked WINDOW so_far AS (PARTITION BY book_id ORDER BY sequence)
        )
        SELECT 'snapshot of book ' || s.book_id || ' at ' || s.at,
               format('its cash, realized P/L or cost (%%s, %%s, %%s) are not what the ledger says of then',
                      s.cash, s.realized_pl, s.market_value - s.unrealized_pl)
        FROM snapshots s
        WHERE NOT EXISTS (
            SELECT FROM standing x
            WHERE x.book_id = s.book_id AND x.cash = s.cash AND x.realized_pl = s.realized_pl
              AND x.cost = s.market_value - s.unrealized_pl AND x.at <= s.at AND s.at <= x.until
        )
    """,
)

SNAPSHOTS = Comparison(
    table="portfolio_equitysnapshot",
    name="'snapshot of book ' || s.book_id || ' at ' || s.at",
    by="its parts and the snapshots before it",
    rows="""
        (
            SELECT x.*, greatest(b.peak, max(x.equity) OVER (PARTITION BY x.book_id ORDER BY x.at, x.id)) AS peak
            FROM snapshots x JOIN since b ON b.book_id = x.book_id
        ) AS s
        JOIN portfolio_book b ON b.id = s.book_id
        LEFT JOIN accounts_generation g ON g.id = b.generation_id
        CROSS JOIN LATERAL (SELECT portfolio_round_half_even(1 - s.equity / s.peak, 6) AS drawdown) AS since_peak
    """,
    columns={
        "equity": ("s.equity", "s.cash + s.market_value"),
        "market_value": ("s.market_value", "s.equity - s.cash"),
        "drawdown": (
            "s.drawdown",
            f"""CASE WHEN {_THINNED} OR {_DETACHED} THEN greatest(s.drawdown, since_peak.drawdown)
                     ELSE since_peak.drawdown END""",
        ),
    },
)

IN_THE_BOOKS = (GENERATIONS, ACCOUNTS, BOOKS, EVENTS, SNAPSHOTS_IN_LEDGER, SNAPSHOTS)
BY_THE_MINUTE = (BOOKS, SNAPSHOTS_IN_LEDGER, SNAPSHOTS)  # what may differ where nothing but snapshots was added
NOT_BY_THE_MINUTE = ("account", "positions")  # of a seal
