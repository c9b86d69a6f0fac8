"""What can be traded: stocks by symbol or id, and option contracts."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock, listing
from marketdata.instruments import Instrument, InvalidSymbol
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.contract_filter import contract_filter
from papertrade.api.alpaca.errors import not_found
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import asset_id, instrument_of
from papertrade.lib.times import EXCHANGE_ZONE

DEFAULT_CONTRACTS, MAX_CONTRACTS = 100, 10_000
SATURDAY = 5


def stock_of(wanted: UUID) -> listing.Listed | None:
    """The stock that has this asset id."""
    return next((stock for stock in listing.stocks() if asset_id(stock.symbol) == wanted), None)


class AssetViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        query = self.query
        active = query.word("status", ("active", "inactive", "all"), "all") != "inactive"
        stocks = (
            query.word("asset_class", ("us_equity", "us_option", "crypto", "crypto_perp"), "us_equity") == "us_equity"
        )
        exchange = query.text("exchange").upper()
        attributes = set(query.words("attributes"))
        found = listing.stocks() if active and stocks and attributes <= {"has_options"} else []
        wanted = [stock for stock in sorted(found) if exchange in ("", listing.exchange_of(stock.symbol))]
        return Response([shapes.asset(stock.symbol, stock.name) for stock in wanted])

    def retrieve(self, request: Request, named: str) -> Response:
        try:
            wanted = UUID(named)
        except ValueError:
            return Response(self._by_symbol(named))
        found = stock_of(wanted)
        if found is None:
            raise not_found(f"asset not found for {named}")
        return Response(shapes.asset(found.symbol, found.name))

    def _by_symbol(self, named: str) -> dict[str, object]:
        try:
            instrument = instrument_of(named)
        except InvalidSymbol:
            raise not_found(f"asset not found for {named[:40]}") from None
        if instrument.is_option or not current_market().exists(instrument.symbol):
            raise not_found(f"asset not found for {named[:40]}")
        names = {stock.symbol: stock.name for stock in listing.stocks()}
        return shapes.asset(instrument.symbol, names.get(instrument.symbol, ""))


class OptionContractViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        limit = self.query.whole("limit", DEFAULT_CONTRACTS, most=MAX_CONTRACTS)
        after = self.query.text("page_token")
        wanted = self._wanted()
        rows = [contract for contract in self._listed() if contract.symbol > after and wanted(contract)]
        page = rows[:limit]
        following = page[-1].symbol if len(rows) > limit else None
        return Response(
            {"option_contracts": [shapes.option_contract(contract) for contract in page], "next_page_token": following}
        )

    def retrieve(self, request: Request, named: str) -> Response:
        contract = self._one(named)
        today = calendar().upcoming(clock.read().now).date
        return Response(shapes.option_contract(contract, active=contract.contract.expiry >= today))

    def _one(self, named: str) -> Instrument:
        try:
            wanted = UUID(named)
        except ValueError:
            try:
                contract = instrument_of(named)
            except InvalidSymbol:
                raise not_found(f"contract not found for {named[:40]}") from None
            if contract.is_option and current_market().exists(contract.symbol):
                return contract
            raise not_found(f"contract not found for {named[:40]}") from None
        found = next((contract for contract in self._listed() if asset_id(contract.symbol) == wanted), None)
        if found is None:
            raise not_found(f"contract not found for {named}")
        return found

    def _listed(self) -> Sequence[Instrument]:
        """By symbol, every contract on the underlyings that were asked for, or else on all whose chains are at hand."""
        underlyings = self.query.symbols("underlying_symbols") or current_market().optionable()
        now = clock.read().now
        stocks = current_market().latest(underlyings, at=now)
        contracts: list[Instrument] = []
        for underlying in sorted(underlyings):
            if spot := listing.spot_of(stocks.get(underlying)):
                contracts += listing.chain(underlying, spot=spot, at=now)
        return sorted(contracts, key=lambda contract: contract.symbol)

    def _wanted(self) -> Callable[[Instrument], bool]:
        query = self.query
        active = query.word("status", ("active", "inactive"), "active") == "active"
        american = query.word("style", ("american", "european"), "american") == "american"
        today = clock.read().now.astimezone(EXCHANGE_ZONE).date()
        asked_for = contract_filter(query, expiring_until=_next_weekend(today))
        return lambda contract: active and american and asked_for(contract)


def _next_weekend(today: date) -> date:
    """The Sunday after today: Alpaca's own bound of the expiries, where a query has none."""
    return today + timedelta(days=(SATURDAY - today.weekday()) % 7 + 1)


class AnnouncementViewSet(AlpacaViewSet):
    """Corporate actions, of which this market knows none."""

    def list(self, request: Request) -> Response:
        return Response([])

    def retrieve(self, request: Request, announcement_id: str) -> Response:
        raise not_found(f"announcement not found for {announcement_id[:40]}")
