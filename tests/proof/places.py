"""Where each column of each table stands: which of the three means finds that it was changed, or that none claims to.

What is not claimed is named in docs/proof.md, and a column that is added has no place until it is given one here.
"""

NOT_CLAIMED = ""

PLACES: dict[str, dict[str, str]] = {
    "accounts_user_groups": {
        NOT_CLAIMED: "id user_id group_id",
    },
    "accounts_user_user_permissions": {
        NOT_CLAIMED: "id user_id permission_id",
    },
    "accounts_user": {
        "audit heads": "id username",
        NOT_CLAIMED: "password last_login is_superuser first_name last_name email is_staff is_active date_joined",
    },
    "accounts_apikey": {
        "heads": "id user_id name prefix secret_sha256 scopes created_at revoked_at",
        NOT_CLAIMED: "last_used_at",
    },
    "accounts_paperaccount": {
        "audit heads bundle": "id currency created_at",
        "audit bundle": "name status updated_at reset_at archived_at",
        "audit heads": "user_id",
    },
    "accounts_generation": {
        "audit heads bundle": "account_id number initial_cash owner policy feed engine_version opened_at reason",
        "audit bundle": "closed_at",
        "bundle audit heads": "id summary",
        NOT_CLAIMED: "note tags",
    },
    "accounts_watchlist": {
        NOT_CLAIMED: "id account_id name symbols created_at updated_at",
    },
    "marketdata_tradingsession": {
        NOT_CLAIMED: "date open close",
    },
    "marketdata_marketclock": {
        NOT_CLAIMED: "id market feed speed anchor_at anchor_wall anchored_again_at through through_rows through_book taken_to "
        "heartbeat_at",
    },
    "marketdata_lease": {
        NOT_CLAIMED: "name number holder session_pid until",
    },
    "marketdata_quoterecord": {
        "audit bundle": "id symbol bid ask bid_size ask_size quoted_at feed",
        NOT_CLAIMED: "recorded_at",
    },
    "portfolio_book": {
        "audit heads bundle": "id generation_number account_id",
        "audit bundle": "cash held_cash realized_pl peak_equity max_drawdown event_seq ledger_seq ledger_head closed_at",
        "bundle audit heads": "generation_id",
        "audit": "closed_trades winning_trades order_seq last_at",
    },
    "portfolio_position": {
        "audit bundle": "book_id symbol qty held_qty realized_pl",
        "audit": "asset_class multiplier cost_basis trade_pl expires_on unsettled mark_at updated_at",
        NOT_CLAIMED: "id mark_price",
    },
    "portfolio_mark": {
        NOT_CLAIMED: "symbol price bid ask bid_size ask_size quoted_at feed",
    },
    "portfolio_ledgertransaction": {
        "audit heads bundle": "id book_id sequence quote_id description hash",
        "audit bundle": "kind at order_number symbol qty price previous_hash",
        "heads": "recorded_at form",
    },
    "portfolio_ledgerentry": {
        "audit bundle": "transaction_id account debit credit",
        "audit": "line",
        NOT_CLAIMED: "id",
    },
    "portfolio_equitysnapshot": {
        "audit heads bundle": "book_id equity cash market_value realized_pl drawdown",
        "audit heads": "unrealized_pl",
        "heads": "id at",
    },
    "portfolio_snapshotmonth": {
        NOT_CLAIMED: "id month state rows rows_before done_at",
    },
    "portfolio_auditreport": {
        "heads": "id scope by started_at finished_at books difference_count differences form extent sealed",
    },
    "portfolio_audit": {
        NOT_CLAIMED: "id scope by extent base_id asked_at finished_at canceled_at canceled_by report_id",
    },
    "portfolio_auditpart": {
        NOT_CLAIMED: "id audit_id number books worker done_at differences form seals sealed",
    },
    "portfolio_accountevent": {
        "audit heads bundle": "account_id seq at order_id order_status symbol",
        "audit heads": "book_id type fill_id quote_id",
        "heads": "id recorded_at reason",
        "audit": "qty price amount filled_qty remaining_qty position_qty",
        NOT_CLAIMED: "request_id",
    },
    "orders_order": {
        "audit heads bundle": "id account_id number symbol asset_class multiplier status filled_qty exact_cost booked held_cash held_qty rejected_reason cancel_reason no_fill_reason no_fill_at quote_id submitted_at accepted_at updated_at filled_at canceled_at expired_at rejected_at",
        "audit heads": "book_id side qty",
        "audit bundle": "replaced_at",
        "audit": "replaced_by_id replaces_id",
        "heads": "client_order_id type time_in_force position_intent extended_hours limit_price session_date expires_at evaluated_on recorded_at",
        NOT_CLAIMED: "note tags",
    },
    "orders_fill": {
        "audit heads bundle": "order_id account_id book_id symbol side qty price gross_amount realized_pl quote_id ledger_transaction_id",
        "audit heads": "id seq asset_class created_at",
        "heads": "price_since recorded_at",
    },
    "orders_sessionrun": {
        NOT_CLAIMED: "id kind session_date round at quotes created_at finished_at",
    },
    "orders_sessionrunchunk": {
        NOT_CLAIMED: "id run_id number first_book_id last_book_id orders worker done_at",
    },
}


def placed() -> dict[str, frozenset[str]]:
    """Which means find a change, by `table.column`."""
    return {
        f"{table}.{column}": frozenset(means.split())
        for table, groups in PLACES.items()
        for means, columns in groups.items()
        for column in columns.split()
    }
