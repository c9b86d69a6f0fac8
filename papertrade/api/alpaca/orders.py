"""Orders: send, list, find, replace, cancel."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.instruments import AssetClass, InvalidSymbol
from orders import selectors, services
from orders.models import Order
from orders.replacing import replace
from orders.states import OPEN, RejectReason, Status
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.assets import stock_of
from papertrade.api.alpaca.errors import FORBIDDEN, UNPROCESSABLE, AlpacaError, bad_input, not_found
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import instrument_of, money, number
from papertrade.lib.errors import NotFound
from portfolio.selectors import book_of, position, summary

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
IGNORED_FIELDS = frozenset({"subtag", "source"})
STATUSES = {"open": Q(status__in=sorted(OPEN)), "closed": ~Q(status__in=sorted(OPEN)), "all": Q()}


class OrderViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        rows = self._wanted(selectors.orders_of(account=self.account))
        return Response([shapes.order(row) for row in rows])

    def create(self, request: Request) -> Response:
        return Response(shapes.order(send(self.account, request.data)))

    def retrieve(self, request: Request, order_id: str) -> Response:
        try:
            return Response(shapes.order(selectors.get_order(account=self.account, order_id=_uuid(order_id))))
        except NotFound:
            raise not_found(f"order not found for {order_id}") from None

    def by_client_order_id(self, request: Request) -> Response:
        wanted = self.query.text("client_order_id")
        try:
            found = selectors.order_by_client_order_id(account=self.account, client_order_id=wanted)
        except NotFound:
            raise not_found(f"order not found for {wanted[:128]}") from None
        return Response(shapes.order(found))

    def partial_update(self, request: Request, order_id: str) -> Response:
        """Replace it. A body that changes nothing is refused."""
        if isinstance(request.data, dict) and not request.data.keys() - {"client_order_id"}:
            raise AlpacaError(422, UNPROCESSABLE, "order parameters are not changed")
        try:
            replaced = replace(account=self.account, order_id=_uuid(order_id), payload=request.data)
        except NotFound:
            raise not_found(f"order not found for {order_id}") from None
        return Response(shapes.order(replaced.order))

    def destroy(self, request: Request, order_id: str) -> Response:
        try:
            services.cancel(account=self.account, order_id=_uuid(order_id))
        except NotFound:
            raise not_found(f"order not found for {order_id}") from None
        return Response(status=204)

    def destroy_all(self, request: Request) -> Response:
        canceled = services.cancel_all(account=self.account)
        return Response([{"id": str(row.pk), "status": 200} for row in canceled], status=207)

    def _wanted(self, rows: QuerySet[Order]) -> QuerySet[Order]:
        query = self.query
        rows = rows.filter(STATUSES[query.word("status", STATUSES, "open")])
        # Both bounds are exclusive. `before_order_id` and `after_order_id` page without losing any of several orders of one
        # instant.
        for name, lookup in (("after", "gt"), ("until", "lt")):
            if (at := query.instant(name)) is not None:
                rows = rows.filter(**{f"submitted_at__{lookup}": at})
        for name, lookup in (("before_order_id", "lt"), ("after_order_id", "gt")):
            if name in query:
                rows = rows.filter(**{f"number__{lookup}": self._number_of(query.text(name))})
        classes = query.words("asset_class")
        if unknown := set(classes) - {*AssetClass, "us_equity", "us_option", "crypto"}:
            raise bad_input(f"invalid asset_class: {', '.join(sorted(unknown))}")
        if classes:
            rows = rows.filter(asset_class__in=classes)
        if "side" in query:
            rows = rows.filter(side=query.word("side", ("buy", "sell"), ""))
        if symbols := query.symbols():
            rows = rows.filter(_of_symbols(symbols, with_options="us_option" in classes))
        ascending = query.word("direction", ("asc", "desc"), "desc") == "asc"
        limit = query.whole("limit", DEFAULT_LIMIT, most=MAX_LIMIT)
        return rows.order_by("number" if ascending else "-number")[:limit]

    def _number_of(self, order_id: str) -> int:
        try:
            return selectors.get_order(account=self.account, order_id=_uuid(order_id)).number
        except NotFound:
            raise not_found(f"order not found for {order_id}") from None


def _of_symbols(symbols: list[str], *, with_options: bool) -> Q:
    """Orders of these symbols; where options are asked for, a ticker means those on it too."""
    wanted = Q(symbol__in=symbols)
    if with_options:
        roots = "|".join(symbol.replace(".", "") for symbol in symbols)
        wanted |= Q(symbol__regex=rf"^O:({roots})\d")
    return wanted


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise bad_input("order_id is missing") from None


def send(account: Any, payload: Any) -> Order:
    """Submit an Alpaca-shaped order. One that the rules reject at once is refused as Alpaca does, and kept as rejected.

    Raises AlpacaError, and what `orders.services.submit` raises.
    """
    submitted = services.submit(account=account, payload=our_payload(payload))
    if submitted.replayed:
        raise bad_input("client_order_id must be unique")
    if submitted.order.status == Status.REJECTED:
        raise refusal_of(submitted.order)
    return submitted.order


def our_payload(payload: Any) -> Any:
    """The order as our admission reads it: our spelling of its symbol, nothing for the names that mean nothing."""
    if not isinstance(payload, dict):
        return payload
    given = {name: value for name, value in payload.items() if value is not None and name not in IGNORED_FIELDS}
    if not given.get("order_class", ""):
        given.pop("order_class", None)
    symbol = given.get("symbol")
    if isinstance(symbol, str):
        given["symbol"] = _meant_by(symbol)
    if "time_in_force" not in given:
        given["time_in_force"] = "day"
    if "qty" in given and "notional" in given:
        raise bad_input("only one of qty or notional is accepted")
    return given


def _meant_by(symbol: str) -> str:
    """Our symbol of a client's, or of a stock's asset id. Raises AlpacaError."""
    try:
        wanted = UUID(symbol)
    except ValueError:
        try:
            return instrument_of(symbol).symbol
        except InvalidSymbol:
            found = None
    else:
        found = stock_of(wanted)
    if found is None:
        raise AlpacaError(422, UNPROCESSABLE, f'asset "{symbol[:40]}" not found')
    return found.symbol


def refusal_of(order: Order) -> AlpacaError:
    """Why the order was rejected, in Alpaca's words."""
    symbol, reason = order.symbol, order.rejected_reason
    if reason == RejectReason.INSUFFICIENT_BUYING_POWER:
        standing = summary(book=book_of(account=order.account))
        price = order.limit_price or (order.quote.ask if order.quote else None)
        cost = order.qty * price * order.multiplier if price else None
        return AlpacaError(
            403,
            FORBIDDEN,
            "insufficient buying power",
            buying_power=money(standing.buying_power),
            **({"cost_basis": money(cost)} if cost is not None else {}),
        )
    if reason in (RejectReason.SHORT_SELL_NOT_ALLOWED, RejectReason.NAKED_OPTION_SELL_NOT_ALLOWED):
        return _not_held(order)
    texts = {
        RejectReason.OPTION_SPREAD_TOO_WIDE: "option spread too wide: the quote is no basis for a market order",
        RejectReason.POSITION_LIMIT_EXCEEDED: "position limit exceeded",
    }
    return AlpacaError(403, FORBIDDEN, texts.get(reason, reason), reject_reason=reason, symbol=symbol)


def _not_held(order: Order) -> AlpacaError:
    """A sell of more than is held; of nothing held it would be short."""
    try:
        held = position(book=book_of(account=order.account), symbol=order.symbol)
    except NotFound:
        short = "account is not allowed to short"
        naked = "account not eligible to trade uncovered option contracts"
        return AlpacaError(403, FORBIDDEN, naked if order.asset_class == AssetClass.US_OPTION else short)
    wanted, available = number(order.qty), number(held.qty_available)
    return AlpacaError(
        403,
        FORBIDDEN,
        f"insufficient qty available for order (requested: {wanted}, available: {available})",
        available=available,
        existing_qty=number(held.qty),
        held_for_orders=number(held.qty - held.qty_available),
        symbol=order.symbol.removeprefix("O:"),
    )
