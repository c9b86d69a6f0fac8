"""Alpaca's objects, made of ours. Every key that its clients look up is there; what this broker does not have is null or 0."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import PaperAccount
from marketdata.instruments import AssetClass, Instrument
from marketdata.listing import exchange_of
from marketdata.sessions import Session
from orders.models import Fill, Order
from orders.states import Status
from orders.terms import Side
from papertrade.api.alpaca.wire import asset_id, instant, money, number, symbol_text
from papertrade.lib.times import EXCHANGE_ZONE
from portfolio.selectors import PositionView, Summary

OPTION_SIZE = "100"
LONG_OPTIONS = 2  # Alpaca's level at which calls and puts are bought
ZERO_MONEY = "0.00"
ACCOUNT_NUMBER_LENGTH = 10


def account(account: PaperAccount, summary: Summary, *, last_equity: Decimal) -> dict[str, Any]:
    """A cash account without margin: what it may spend is its cash less what open buys hold."""
    return {
        "id": str(account.pk),
        "account_number": f"PA{account.pk.hex[-ACCOUNT_NUMBER_LENGTH:].upper()}",
        "status": "ACCOUNT_CLOSED" if account.is_archived else "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": account.currency,
        "cash": money(summary.cash),
        "buying_power": money(summary.buying_power),
        "regt_buying_power": money(summary.buying_power),
        "daytrading_buying_power": "0",
        "non_marginable_buying_power": money(summary.buying_power),
        "options_buying_power": money(summary.buying_power),
        "effective_buying_power": money(summary.buying_power),
        "equity": money(summary.equity),
        "last_equity": money(last_equity),
        "portfolio_value": money(summary.equity),
        "long_market_value": money(summary.market_value),
        "short_market_value": "0",
        "position_market_value": money(summary.market_value),
        "initial_margin": money(summary.market_value),
        "maintenance_margin": "0",
        "last_maintenance_margin": "0",
        "sma": "0",
        "multiplier": "1",
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "bod_dtbp": "0",
        "pattern_day_trader": False,
        "daytrade_count": 0,
        "trading_blocked": account.is_archived,
        "transfers_blocked": True,
        "account_blocked": account.is_archived,
        "trade_suspended_by_user": False,
        "shorting_enabled": False,
        "options_approved_level": LONG_OPTIONS,
        "options_trading_level": LONG_OPTIONS,
        "created_at": instant(account.created_at),
        "admin_configurations": {},
        "user_configurations": None,
    }


CONFIGURATIONS = {
    "dtbp_check": "entry",
    "fractional_trading": True,
    "max_margin_multiplier": "1",
    "max_options_trading_level": LONG_OPTIONS,
    "no_shorting": True,
    "pdt_check": "entry",
    "ptp_no_exception_entry": False,
    "suspend_trade": False,
    "trade_confirm_email": "none",
    "disable_overnight_trading": True,
}


def order(order: Order) -> dict[str, Any]:
    """An order with every key of Alpaca's, the reason that it has not filled beside them."""
    average = order.average_fill_price
    return {
        "id": str(order.pk),
        "client_order_id": order.client_order_id,
        "created_at": instant(order.submitted_at),
        "updated_at": instant(order.updated_at),
        "submitted_at": instant(order.submitted_at),
        "filled_at": instant(order.filled_at),
        "expired_at": instant(order.expired_at),
        "canceled_at": instant(order.canceled_at),
        "failed_at": instant(order.rejected_at),
        "replaced_at": instant(order.replaced_at),
        "replaced_by": _id(order.replaced_by_id),
        "replaces": _id(order.replaces_id),
        "asset_id": str(asset_id(order.symbol)),
        "symbol": symbol_text(order.symbol),
        "asset_class": order.asset_class,
        "notional": None,
        "qty": number(order.qty),
        "filled_qty": number(order.filled_qty),
        "filled_avg_price": None if average is None else number(round(average, 6)),
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": order.position_intent or ("buy_to_open" if order.side == Side.BUY else "sell_to_close"),
        "time_in_force": order.time_in_force,
        "limit_price": number(order.limit_price),
        "stop_price": None,
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": instant(order.expires_at),
        # Beyond Alpaca's: why it was refused, why it ended, or why it has not filled.
        "reason": order.reason or None,
    }


def _id(value: object) -> str | None:
    return str(value) if value else None


def position(view: PositionView, *, last_close: Decimal | None) -> dict[str, Any]:
    """A long position at its mark. `last_close` is its mark at the close before this session, None where it is not known."""
    today = None if last_close is None else view.market_price - last_close
    multiplier = 100 if view.asset_class == AssetClass.US_OPTION else 1
    intraday = None if today is None else today * view.qty * multiplier
    before = None if last_close is None else last_close * view.qty * multiplier
    return {
        "asset_id": str(asset_id(view.symbol)),
        "symbol": symbol_text(view.symbol),
        "exchange": exchange_of(view.symbol),
        "asset_class": view.asset_class,
        "asset_marginable": False,
        "avg_entry_price": number(round(view.avg_entry_price, 6)),
        "qty": number(view.qty),
        "qty_available": number(view.qty_available),
        "side": "long",
        "market_value": money(view.market_value),
        "cost_basis": money(view.cost_basis),
        "unrealized_pl": money(view.unrealized_pl),
        "unrealized_plpc": number(view.unrealized_plpc),
        "unrealized_intraday_pl": None if intraday is None else money(intraday),
        "unrealized_intraday_plpc": number(_ratio(intraday, before)),
        "current_price": number(view.market_price),
        "lastday_price": number(last_close),
        "change_today": number(_ratio(today, last_close)),
    }


def _ratio(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    if part is None:
        return None
    return round(part / whole, 6) if whole else Decimal(0)


def asset(symbol: str, name: str) -> dict[str, Any]:
    """A stock that can be bought and sold, in fractions too, but neither on margin nor short."""
    return {
        "id": str(asset_id(symbol)),
        "class": "us_equity",
        "exchange": exchange_of(symbol),
        "symbol": symbol,
        "name": name or symbol,
        "status": "active",
        "tradable": True,
        "marginable": False,
        "shortable": False,
        "easy_to_borrow": False,
        "borrow_status": "not_available",
        "fractionable": True,
        "maintenance_margin_requirement": 100,
        "margin_requirement_long": "100",
        "margin_requirement_short": "100",
        "attributes": ["has_options"],
    }


def option_contract(contract: Instrument, *, active: bool = True) -> dict[str, Any]:
    """A contract of 100 shares. Its open interest and its last close are not known here."""
    expiry, strike, right = contract.contract
    return {
        "id": str(asset_id(contract.symbol)),
        "symbol": symbol_text(contract.symbol),
        "name": f"{contract.underlying} {expiry:%b %d %Y} {number(strike)} {right.capitalize()}",
        "status": "active" if active else "inactive",
        "tradable": active,
        "expiration_date": expiry.isoformat(),
        "root_symbol": contract.root,
        "underlying_symbol": contract.underlying,
        "underlying_asset_id": str(asset_id(contract.underlying)),
        "type": str(right),
        "style": "american",
        "strike_price": number(strike),
        "multiplier": OPTION_SIZE,
        "size": OPTION_SIZE,
        "open_interest": None,
        "open_interest_date": None,
        "close_price": None,
        "close_price_date": None,
        "ppind": False,
    }


def clock(now: datetime, *, is_open: bool, next_open: datetime, next_close: datetime) -> dict[str, Any]:
    """Exchange time with New York's offset, as Alpaca writes it here and nowhere else."""
    times = {"timestamp": now, "next_open": next_open, "next_close": next_close}
    return {"is_open": is_open, **{name: at.astimezone(EXCHANGE_ZONE).isoformat() for name, at in times.items()}}


def session(day: Session, settlement: Session | None) -> dict[str, Any]:
    """A trading day; its regular hours in New York, and the hours that Alpaca trades around them."""
    return {
        "date": day.date.isoformat(),
        "open": _hour(day.open, EXCHANGE_ZONE),
        "close": _hour(day.close, EXCHANGE_ZONE),
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": (settlement or day).date.isoformat(),
    }


def _hour(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def activity_id(at: datetime, row_id: object) -> str:
    """Sorts by time: New York's clock to the millisecond, then the row."""
    local = at.astimezone(EXCHANGE_ZONE)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}::{row_id}"


def fill(fill: Fill, *, filled_by_then: Decimal) -> dict[str, Any]:
    """One execution as an activity; `filled_by_then` is what the order had filled with it."""
    leaves = fill.order.qty - filled_by_then
    return {
        "id": activity_id(fill.created_at, fill.pk),
        "activity_type": "FILL",
        "transaction_time": instant(fill.created_at),
        "type": "partial_fill" if leaves else "fill",
        "price": number(fill.price),
        "qty": number(fill.qty),
        "side": fill.side,
        "symbol": symbol_text(fill.symbol),
        "leaves_qty": number(leaves),
        "order_id": str(fill.order_id),
        "cum_qty": number(filled_by_then),
        "order_status": Status.PARTIALLY_FILLED if leaves else Status.FILLED,
    }


def settlement(row: Any, *, proceeds: Decimal) -> dict[str, Any]:
    """An expired option that was paid out in cash, or was worth nothing."""
    return {
        "id": activity_id(row.at, row.pk),
        "activity_type": "OPCSH" if proceeds else "OPEXP",
        "date": row.at.astimezone(EXCHANGE_ZONE).date().isoformat(),
        "created_at": instant(row.at),
        "net_amount": money(proceeds),
        "description": row.description or "Option expiry",
        "symbol": symbol_text(row.symbol),
        "qty": number(-row.qty if row.qty is not None else None),
        "per_share_amount": number(row.price),
        "status": "executed",
        "currency": "USD",
    }


def watchlist(row: Any, assets: Mapping[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """A named list of symbols; without `assets`, as in a list of watchlists, these are left out."""
    found = {
        "id": str(row.pk),
        "account_id": str(row.account_id),
        "name": row.name,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
    }
    if assets is not None:
        found["assets"] = [assets[symbol] for symbol in row.symbols]
    return found
