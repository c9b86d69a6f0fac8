"""An account with a history in which every kind of row occurs, built once and tampered with many times."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from accounts.services import issue_key, revoke_key
from orders.audit import audit_books, audit_chunk
from orders.replacing import replace
from papertrade.proof import bundle, bundle_check, heads
from papertrade.proof.audits import ask, carry_out
from papertrade.trading.accounts import rename_account
from portfolio.models import Book
from tests.desk import Desk
from tests.factories import UserFactory
from tests.market_kit import STOCK, MarketKit

SETTLED, UNSETTLED = "O:IBM131007C00090000", "O:BAC131007C00010000"  # they expire on the day; BAC itself has no quote
SESSION = [f"{13 + (30 + 10 * step) // 60}:{(30 + 10 * step) % 60:02d}" for step in range(39)]


def play(kit: MarketKit) -> None:
    """A quote every ten minutes of the session, and thin ones around 14:00."""
    kit.play(
        *(f"{time}:00 {STOCK} 100.00 100.10 500 300" for time in SESSION),
        *(f"{time}:00 {contract} 4.00 4.20 20 10" for time in SESSION for contract in (SETTLED, UNSETTLED)),
        f"14:00:05 {STOCK} 99.90 100.00 40 30",
        f"14:00:08 {STOCK} 100.20 100.30 500 300",
        start="14:00:00",
    )


@dataclass
class History:
    """The account, another user, and the files that were made of it before anybody tampered."""

    desk: Desk
    other: Any
    folder: Path
    lines: list[str]
    seals: dict[int, Any]
    last_seals: dict[int, Any]

    @classmethod
    def build(cls, kit: MarketKit, folder: Path) -> "History":
        play(kit)
        user, other = UserFactory(), UserFactory()
        issue_key(user=user, name="a key", scopes=["paper"])
        revoke_key(user=user, key_id=issue_key(user=user, name="another", scopes=["paper"])[0].pk)
        desk = Desk(user)
        desk.buy("5")
        desk.reset(reason="a second try", initial_cash="50000")
        seals = audit_chunk(list(Book.objects.values_list("pk", flat=True))).seals  # where an increment begins
        rename_account(account=desk.account, name="Renamed")
        desk.buy("10")
        desk.sell("4")
        desk.buy("2", symbol=SETTLED)
        desk.buy("1", symbol=UNSETTLED)
        desk.cancel(desk.buy("3", limit="95"))
        desk.buy("1000000")  # refused
        desk.buy("7", limit="90")  # expires
        kit.advance("14:00:06")
        desk.buy("40")  # thirty are offered
        desk.buy("3", limit="95", time_in_force="gtc")
        desk.sell("1", limit="200", time_in_force="gtc")
        replace(account=desk.account, order_id=desk.buy("3", limit="94").pk, payload={"limit_price": "93"})
        kit.advance("14:00:09")
        kit.advance("20:00:01")
        desk.buy("2")  # waits for the next open
        carry_out(ask(by="test"))
        last_seals = audit_chunk(list(Book.objects.values_list("pk", flat=True))).seals
        return cls(desk, other, folder, list(heads.export()), seals, last_seals)

    def found(self) -> dict[str, list[str]]:
        """What each means finds now; those that find nothing are left out."""
        means = {
            "audit": self.by_audit,
            "increment": self.by_increment,
            "heads": self.by_heads,
            "bundle": self.by_bundle,
        }
        return {name: said for name, look in means.items() if (said := look())}

    def by_audit(self) -> list[str]:
        return [f"{found.row}: {found.problem}" for found in audit_books()]

    def by_increment(self, *, from_last: bool = False) -> list[str]:
        """What an audit finds that goes on from the first one's seals, or from the last one's: nothing happened since."""
        sealed = self.last_seals if from_last else self.seals
        found = audit_chunk(list(Book.objects.values_list("pk", flat=True)), sealed=sealed).differences
        return [f"{difference.row}: {difference.problem}" for difference in found]

    def by_heads(self) -> list[str]:
        return [f"{found.row}: {found.problem}" for found in heads.check(self.lines)]

    def by_bundle(self) -> list[str]:
        path = self.folder / "account.zip"
        try:
            bundle.write(account=self.desk.account, path=path)
        except ObjectDoesNotExist as gone:
            return [str(gone)]
        return list(bundle_check.problems(str(path)))
