"""The market's quotes in the hosted product's own shapes, so that its clients' market-data calls work against this server.

Here, and only here, prices are JSON numbers and times nanoseconds, as the hosted product sends them.
"""

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock, listing, option_pricing
from marketdata.instruments import Instrument, OptionRight, is_symbol, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from papertrade.api.kit import pagination
from papertrade.api.kit.authentication import MayRead
from papertrade.api.kit.queries import read_date
from papertrade.api.kit.schema import answers, lists
from papertrade.api.kit.views import ApiView
from papertrade.api.market.serializers import (
    ContractSnapshot,
    ContractSnapshotAnswer,
    ExpirationsAnswer,
    FoundTicker,
    Greeks,
    LastStockQuoteAnswer,
    StockSnapshotAnswer,
)
from papertrade.lib.errors import BadRequest, NotFound
from papertrade.lib.numbers import read_number

TIMEFRAME = "REAL-TIME"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq, ".gte": operator.ge, ".gt": operator.gt, ".lte": operator.le, ".lt": operator.lt,
}  # fmt: skip


class LastStockQuotes(ApiView):
    permission_classes = [MayRead]

    @answers(LastStockQuoteAnswer, "The latest quote of a stock, as the hosted product sends it")
    def get(self, request: Request, symbol: str) -> Response:
        return _answer(request, results=_stock_quote_json(_stock_quote(symbol, clock.read().now)))


class StockSnapshots(ApiView):
    permission_classes = [MayRead]

    @answers(StockSnapshotAnswer, "A stock, as the hosted product sends it")
    def get(self, request: Request, symbol: str) -> Response:
        last = _stock_quote_json(_stock_quote(symbol, clock.read().now))
        return _answer(request, ticker={"ticker": symbol, "lastQuote": last, "updated": last["t"]})


class Chain(ApiView):
    permission_classes = [MayRead]

    @lists(
        ContractSnapshot,
        "The option chain of a stock, as the hosted product sends it",
        query={
            "contract_type": "call or put",
            **{f"strike_price{suffix}": "USD per share" for suffix in COMPARISONS},
            **{f"expiration_date{suffix}": "a date" for suffix in COMPARISONS},
        },
    )
    def get(self, request: Request, symbol: str) -> Response:
        at = clock.read().now
        stock = _stock_quote(symbol, at)
        wanted = _filter(request)
        listed = listing.chain(symbol, spot=_spot(stock), at=at) if _spot(stock) else []

        def render(contracts: Iterable[Instrument]) -> list[dict[str, Any]]:
            contracts = list(contracts)
            quotes = current_market().latest([contract.symbol for contract in contracts], at=at)
            return [_contract_json(contract, quotes.get(contract.symbol), stock, at) for contract in contracts]

        return pagination.page_of(request, list(filter(wanted, listed)), key=lambda item: item.symbol, render=render)


class ContractSnapshots(ApiView):
    permission_classes = [MayRead]

    @answers(ContractSnapshotAnswer, "One option contract, as the hosted product sends it")
    def get(self, request: Request, underlying: str, symbol: str) -> Response:
        at = clock.read().now
        contract = parse_symbol(symbol) if is_symbol(symbol) else None
        if contract is None or not contract.is_option or contract.underlying != underlying:
            raise NotFound("There is no such contract of this stock.")
        quote = current_market().latest([symbol], at=at).get(symbol)
        if quote is None:
            raise NotFound("This market has no quote of the contract.")
        return _answer(request, results=_contract_json(contract, quote, _stock_quote(underlying, at), at))


class Search(ApiView):
    permission_classes = [MayRead]

    @lists(FoundTicker, "Stocks by ticker or name, the closest first", query={"query": "a part of a ticker or name"})
    def get(self, request: Request) -> Response:
        found = listing.search(request.query_params.get("query", ""), limit=pagination.read_limit(request))
        return pagination.listing(request, [stock._asdict() for stock in found])


class Expirations(ApiView):
    permission_classes = [MayRead]

    @answers(ExpirationsAnswer, "The expiries of a stock's options that still trade")
    def get(self, request: Request, symbol: str) -> Response:
        if not _is_stock(symbol):
            raise NotFound("There is no such stock.")
        found = listing.expirations(symbol, at=clock.read().now)
        return _answer(request, ticker=symbol, results=[day.isoformat() for day in found])


def _answer(request: Request, **fields: Any) -> Response:
    return Response({"status": "OK", "request_id": request._request.request_id, **fields})


def _is_stock(symbol: str) -> bool:
    return is_symbol(symbol) and not parse_symbol(symbol).is_option


def _stock_quote(symbol: str, at: datetime) -> Quote:
    if _is_stock(symbol):
        quote = current_market().latest([symbol], at=at).get(symbol)
        if quote is not None:
            return quote
    raise NotFound("This market has no quote of such a stock.")


def _spot(stock: Quote) -> Decimal | None:
    return stock.bid if stock.mid is None else stock.mid


def _stock_quote_json(quote: Quote) -> dict[str, Any]:
    return {
        "T": quote.symbol,
        "p": _number(quote.bid),
        "s": _number(quote.bid_size),
        "P": _number(quote.ask),
        "S": _number(quote.ask_size),
        "t": _nanoseconds(quote.quoted_at),
    }


def _contract_json(contract: Instrument, quote: Quote | None, stock: Quote, at: datetime) -> dict[str, Any]:
    mid = quote.mid if quote else None
    away = None if mid is None else (mid if contract.right == OptionRight.CALL else -mid)
    volatility, greeks = _analytics(contract, mid, _spot(stock), at)
    return {
        "details": {
            "ticker": contract.symbol,
            "contract_type": str(contract.right),
            "exercise_style": "american",
            "expiration_date": contract.expiry.isoformat(),
            "strike_price": _number(contract.strike),
            "shares_per_contract": contract.multiplier,
        },
        "last_quote": quote
        and {
            "bid": _number(quote.bid),
            "ask": _number(quote.ask),
            "midpoint": _number(mid),
            "bid_size": _number(quote.bid_size),
            "ask_size": _number(quote.ask_size),
            "last_updated": _nanoseconds(quote.quoted_at),
            "timeframe": TIMEFRAME,
        },
        "break_even_price": None if away is None else _number(contract.strike + away),
        "implied_volatility": volatility,
        "greeks": greeks,
        "underlying_asset": {
            "ticker": contract.underlying,
            "price": _number(_spot(stock)),
            "last_updated": _nanoseconds(stock.quoted_at),
            "timeframe": TIMEFRAME,
        },
    }


def _analytics(
    contract: Instrument, mid: Decimal | None, spot: Decimal | None, at: datetime
) -> tuple[float | None, dict[str, float | None]]:
    """Implied volatility and greeks at the midpoint; None where the quote allows none."""
    expires_at = calendar().last_on_or_before(contract.expiry).close
    terms = {
        "spot": float(spot or 0),
        "strike": float(contract.strike),
        "years": (expires_at - at).total_seconds() / option_pricing.SECONDS_PER_YEAR,
        "is_call": contract.right == OptionRight.CALL,
    }
    volatility = option_pricing.implied_volatility(price=float(mid), **terms) if mid and spot else None
    if volatility is None:
        return None, dict.fromkeys(Greeks().fields)
    return volatility, option_pricing.greeks(volatility=volatility, **terms)


def _filter(request: Request) -> Callable[[Instrument], bool]:
    """The contracts that were asked for. Raises BadRequest."""
    kind = request.query_params.get("contract_type")
    if kind not in (None, "", *OptionRight):
        raise BadRequest("A parameter cannot be used.", contract_type="must be call or put")
    strikes = [
        (compare, _strike(request, name)) for suffix, compare in COMPARISONS.items()
        if (name := f"strike_price{suffix}") in request.query_params
    ]  # fmt: skip
    days: list[tuple[Callable[[Any, Any], bool], date | None]] = [
        (compare, read_date(request, name)) for suffix, compare in COMPARISONS.items()
        if (name := f"expiration_date{suffix}") in request.query_params
    ]  # fmt: skip

    def wanted(contract: Instrument) -> bool:
        return (
            (not kind or contract.right == kind)
            and all(compare(contract.strike, strike) for compare, strike in strikes)
            and all(compare(contract.expiry, day) for compare, day in days)
        )

    return wanted


def _strike(request: Request, name: str) -> Decimal:
    strike = read_number(request.query_params[name])
    if strike is None:
        raise BadRequest("A parameter cannot be used.", **{name: "must be a number, USD per share"})
    return strike


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _nanoseconds(at: datetime) -> int:
    since = at - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
