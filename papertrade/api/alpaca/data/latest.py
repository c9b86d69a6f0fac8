"""The present: latest quotes, trades and bars, snapshots, and option chains with greeks."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock, listing
from marketdata.bars import bar_of_day, bar_of_day_before, last_minute
from marketdata.contract_now import ContractNow
from marketdata.feeds.past import standing
from marketdata.instruments import Instrument, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.api.alpaca.contract_filter import contract_filter
from papertrade.api.alpaca.data import shapes
from papertrade.api.alpaca.errors import bad_input, not_found
from papertrade.api.alpaca.parameters import symbol_of
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import symbol_text

SNAPSHOTS, MAX_SNAPSHOTS = 100, 1_000
Make = Callable[[str, Quote | None], dict[str, Any] | None]


class LatestViewSet(AlpacaViewSet):
    """For a list of symbols, those that have one; for a symbol in the address, its own or 404."""

    option = False

    def quotes(self, request: Request, symbol: str = "") -> Response:
        def make(name: str, quote: Quote | None) -> dict[str, Any] | None:
            return None if quote is None else shapes.quote(standing(quote), option=self.option)

        return self._answer("quote", symbol, make)

    def trades(self, request: Request, symbol: str = "") -> Response:
        def make(name: str, quote: Quote | None) -> dict[str, Any] | None:
            return last_trade(name, quote, self.now, option=self.option)

        return self._answer("trade", symbol, make)

    def bars(self, request: Request, symbol: str = "") -> Response:
        return self._answer("bar", symbol, lambda name, quote: whole_minute(name, self.now))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.now = clock.read().now

    def _answer(self, kind: str, symbol: str, make: Make) -> Response:
        symbols = [symbol_of(symbol)] if symbol else self.query.symbols()
        if not symbols:
            raise bad_input("symbols is required")
        quotes = current_market().latest(symbols, at=self.now)
        found = {symbol_text(name): made for name in symbols if (made := make(name, quotes.get(name))) is not None}
        if not symbol:
            return Response({f"{kind}s": found})
        if not found:
            raise not_found(f"no {kind} found for {symbol_text(symbols[0])}")
        return Response({"symbol": symbol_text(symbols[0]), kind: found[symbol_text(symbols[0])]})


class OptionLatestViewSet(LatestViewSet):
    option = True


class SnapshotViewSet(AlpacaViewSet):
    """Of stocks: the latest trade and quote, and the bars of the last minute, of today and of the day before."""

    def list(self, request: Request) -> Response:
        symbols, now = self.query.symbols(), clock.read().now
        quotes = current_market().latest(symbols, at=now)
        current_market().remember(quotes)
        return Response(
            {symbol_text(name): stock_snapshot(name, quotes.get(name), now) for name in symbols if name in quotes}
        )

    def retrieve(self, request: Request, symbol: str) -> Response:
        name, now = symbol_of(symbol), clock.read().now
        quote = current_market().latest([name], at=now).get(name)
        if quote is None:
            raise not_found(f"no snapshot found for {symbol_text(name)}")
        return Response({"symbol": symbol_text(name), **stock_snapshot(name, quote, now)})


class OptionSnapshotViewSet(AlpacaViewSet):
    """Of the contracts that are named, or of an underlying's chain; by symbol, in pages."""

    def list(self, request: Request) -> Response:
        return self._page([parse_symbol(name) for name in self.query.symbols() if parse_symbol(name).is_option])

    def chain(self, request: Request, underlying: str) -> Response:
        name, now = symbol_of(underlying), clock.read().now
        spot = listing.spot_of(current_market().latest([name], at=now).get(name))
        wanted = contract_filter(self.query)
        contracts = listing.chain(name, spot=spot, at=now) if spot else []
        return self._page([contract for contract in contracts if wanted(contract)], watch=False)

    def _page(self, contracts: Iterable[Instrument], *, watch: bool = True) -> Response:
        limit, now = self.query.whole("limit", SNAPSHOTS, most=MAX_SNAPSHOTS), clock.read().now
        after = self.query.text("page_token")
        rows = sorted(
            (contract for contract in contracts if contract.symbol > after), key=lambda contract: contract.symbol
        )
        page = rows[:limit]
        stocks = {contract.underlying for contract in page}
        quotes = current_market().latest([*stocks, *(contract.symbol for contract in page)], at=now, watch=watch)
        since = self.query.instant("updated_since")
        found = {
            symbol_text(contract.symbol): option_snapshot(contract, quotes, now)
            for contract in page
            if (quote := quotes.get(contract.symbol)) is not None and (since is None or quote.quoted_at >= since)
        }
        following = page[-1].symbol if len(rows) > limit else None
        return Response({"snapshots": found, "next_page_token": following})


def stock_snapshot(symbol: str, quote: Quote | None, now: datetime) -> dict[str, Any]:
    """Every part that is known; a market that keeps no past has no bars."""
    today, before = bar_of_day(current_market(), symbol, now, now), bar_of_day_before(current_market(), symbol, now)
    parts = {
        "latestTrade": last_trade(symbol, quote, now, option=False),
        "latestQuote": quote and shapes.quote(standing(quote), option=False),
        "minuteBar": whole_minute(symbol, now),
        "dailyBar": today and shapes.bar(today),
        "prevDailyBar": before and shapes.bar(before),
    }
    return {name: part for name, part in parts.items() if part is not None}


def last_trade(symbol: str, quote: Quote | None, now: datetime, *, option: bool) -> dict[str, Any] | None:
    """None where there is none."""
    found = current_market().last_trade(symbol, quote, at=now)
    return None if found is None else shapes.trade(found, option=option)


def option_snapshot(contract: Instrument, quotes: Mapping[str, Quote], now: datetime) -> dict[str, Any]:
    """Quote and trade, with volatility and all greeks if the quote's mid implies a volatility, else with none of them."""
    quote, stock = quotes[contract.symbol], quotes.get(contract.underlying)
    found: dict[str, Any] = {"latestQuote": shapes.quote(standing(quote), option=True)}
    if (trade := last_trade(contract.symbol, quote, now, option=True)) is not None:
        found["latestTrade"] = trade
    if stock is not None and (implied := ContractNow(contract, quote, stock, now)).volatility is not None:
        found["impliedVolatility"], found["greeks"] = implied.volatility, implied.greeks
    return found


def whole_minute(symbol: str, now: datetime) -> dict[str, Any] | None:
    """The last minute that is over, of the last ten; None where nothing happened in them."""
    found = last_minute(current_market(), symbol, now)
    return None if found is None else shapes.bar(found)
