"""`papertrade settle [POSITION --price P]`: end an option position that no quote of its last close could settle."""

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata import clock
from papertrade.lib.errors import PapertradeError
from papertrade.lib.words import counted
from portfolio.selectors import unsettled_positions
from portfolio.settlement import settle_by_hand


class Command(BaseCommand):
    help = "List the unsettled option positions, or settle one in cash: settle POSITION --price 1.25 --reason '...'"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("position", nargs="?", type=UUID, help="the id that the list shows")
        parser.add_argument("--price", help="USD per share that the contract is worth, 0 or more")
        parser.add_argument("--reason", help="why that price; kept in the ledger")

    def handle(self, *args: Any, position: UUID | None, price: str | None, reason: str | None, **options: Any) -> None:
        if position is None:
            self._list()
            return
        if price is None or not reason:
            raise CommandError("Give --price (USD per share) and --reason.")
        try:
            settle_by_hand(position_id=position, price=_price(price), reason=reason, at=clock.read().now)
        except PapertradeError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(self.style.SUCCESS(f"Settled at {price} USD per share."))

    def _list(self) -> None:
        found = list(unsettled_positions())
        for row in found:
            self.stdout.write(
                f"{row.pk}  {row.symbol}  {row.qty.normalize():f} contracts  account {row.book.account_id}"
            )
        self.stdout.write(f"{counted(len(found), 'position')} unsettled.")


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise CommandError(f"--price {text} is not a number.") from None
    if not price.is_finite():
        raise CommandError(f"--price {text} is not a number.")
    return price
