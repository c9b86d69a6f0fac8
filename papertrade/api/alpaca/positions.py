"""Positions: what the account holds, and closing one or all of them at the market."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.labels import Labels, read_labels
from marketdata.instruments import InvalidSymbol
from orders import services
from orders.closing import HUNDRED, close_position, share_of
from papertrade.api.alpaca import errors, shapes
from papertrade.api.alpaca.errors import UNPROCESSABLE, AlpacaError, bad_input, not_found
from papertrade.api.alpaca.last_close import last_closes
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import asset_id, instrument_of, symbol_text
from papertrade.lib.errors import PapertradeError
from portfolio.selectors import PositionView, book_of, positions


class PositionViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        held = self._held()
        closes = last_closes([view.symbol for view in held])
        return Response([shapes.position(view, last_close=closes.get(view.symbol)) for view in held])

    def retrieve(self, request: Request, symbol: str) -> Response:
        view = self._one(symbol)
        return Response(shapes.position(view, last_close=last_closes([view.symbol]).get(view.symbol)))

    def destroy(self, request: Request, symbol: str) -> Response:
        qty, percentage = self.query.number("qty"), self.query.number("percentage")
        if qty is not None and percentage is not None:
            raise bad_input("only one of qty or percentage is accepted")
        view = self._one(symbol)
        if percentage is not None:
            if not 0 < percentage <= HUNDRED:
                raise bad_input("percentage must be in between 0 and 100")
            qty = share_of(view.qty, percentage)
            if not qty:
                raise bad_input("qty must be > 0")
        return Response(shapes.order(self._close(view, qty, self._labels())))

    def destroy_all(self, request: Request) -> Response:
        labels = self._labels()
        if self.query.switch("cancel_orders"):
            services.cancel_all(account=self.account)
        return Response([self._closed(view, labels) for view in self._held()], status=207)

    def exercise(self, request: Request, symbol: str) -> Response:
        self._one(symbol)
        raise AlpacaError(
            422,
            UNPROCESSABLE,
            "exercise is not supported: at its expiry an option is settled in cash at intrinsic value",
        )

    def _closed(self, view: PositionView, labels: Labels) -> dict[str, Any]:
        """What became of closing one of several: one that cannot be closed stops no other."""
        try:
            status, body = 200, shapes.order(self._close(view, None, labels))
        except AlpacaError as refusal:
            status, body = refusal.status, refusal.body()
        except PapertradeError as refusal:
            told = errors.translated(refusal)
            status, body = told.status, told.body()
        return {"symbol": symbol_text(view.symbol), "status": status, "body": body}

    def _labels(self) -> Labels:
        """Beyond Alpaca's parameters. Raises BadRequest."""
        return read_labels({"note": self.query.text("note"), "tags": self.query.words("tags")})

    def _close(self, view: PositionView, qty: Decimal | None, labels: Labels) -> Any:
        sent = {"note": labels.note, "tags": list(labels.tags)}
        return close_position(account=self.account, symbol=view.symbol, qty=qty, **sent).order

    def _held(self) -> Sequence[PositionView]:
        return positions(book=book_of(account=self.account))

    def _one(self, named: str) -> PositionView:
        """The position of a symbol, or of an asset's id. Raises AlpacaError."""
        try:
            wanted = UUID(named)
            found = [view for view in self._held() if asset_id(view.symbol) == wanted]
        except ValueError:
            try:
                symbol = instrument_of(named).symbol
            except InvalidSymbol:
                raise not_found(f"symbol not found: {named[:40]}") from None
            found = [view for view in self._held() if view.symbol == symbol]
        if not found:
            raise not_found("position does not exist")
        return found[0]
