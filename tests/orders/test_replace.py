"""Trading-rules.md section 6, replace: the table of cases, holds without a gap, retries, and who may come between."""

from typing import Any

import pytest

from orders.models import Order
from orders.replacing import replace
from papertrade.lib.errors import BadRequest, Conflict, NotFound, PapertradeError, Unprocessable
from tests.desk import Desk, dec
from tests.invariants import check_account
from tests.market_kit import CALL, MarketKit, at


@pytest.fixture(autouse=True)
def _the_books_stand(desk: Desk) -> Any:
    yield
    check_account(desk.account)


def refusal(desk: Desk, order: Order, **changes: Any) -> tuple[str, str]:
    """The code and the reason of a replacement that is refused, and that nothing has changed."""
    before = Order.objects.filter(account=desk.account).values(), desk.book.event_seq
    with pytest.raises(PapertradeError) as no:
        desk.replace(order, **changes)
    assert (list(Order.objects.filter(account=desk.account).values()), desk.book.event_seq) == (
        list(before[0]),
        before[1],
    )
    return no.value.code, no.value.details.get("reason", "")


class TestWhatIsPutInItsPlace:
    # In the open market (IBM 100.00 x 100.10): the order, the changes, and what the new order is.
    CASES = {
        "another limit": ({"limit": "90"}, {"limit_price": "95"}, ("new", "10", "95.00", "day", "950")),
        "another quantity": ({"limit": "90"}, {"qty": "4"}, ("new", "4", "90.00", "day", "360")),
        "more": ({"limit": "90"}, {"qty": 1000}, ("new", "1000", "90.00", "day", "90000")),
        "until canceled": ({"limit": "90"}, {"time_in_force": "gtc"}, ("new", "10", "90.00", "gtc", "900")),
        "all at once": (
            {"limit": "90"},
            {"qty": "5", "limit_price": "80.5", "time_in_force": "gtc"},
            ("new", "5", "80.50", "gtc", "402.5"),
        ),
        "a limit that is reached": ({"limit": "90"}, {"limit_price": "100.10"}, ("filled", "10", "100.10", "day", "0")),
        "null is absent": ({"limit": "90"}, {"limit_price": "95", "qty": None}, ("new", "10", "95.00", "day", "950")),
    }

    @pytest.mark.parametrize("case", CASES)
    def test_it(self, desk: Desk, case: str) -> None:
        sent, changes, expected = self.CASES[case]
        old = desk.buy("10", **sent)
        new = desk.now(desk.replace(old, **changes))
        assert (
            new.status,
            f"{new.qty.normalize():f}",
            f"{new.limit_price:.2f}",
            new.time_in_force,
            f"{new.held_cash.normalize():f}",
        ) == expected
        old = desk.now(old)
        assert (old.status, old.reason, old.held_cash) == ("replaced", "", 0)
        assert (old.replaced_by_id, new.replaces_id, old.replaced_at) == (new.pk, old.pk, new.submitted_at)
        assert desk.book.held_cash == new.held_cash
        assert new.number == old.number + 1, "its turn among the account's orders is a new one"

    def test_an_order_that_waits_for_the_open(self, closed_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        market_order, limit_order = desk.buy("10"), desk.sell("1")  # the sell is rejected
        new = desk.replace(market_order, qty="7")
        assert (desk.state(new), desk.state(market_order)) == (("accepted", ""), ("replaced", ""))
        assert desk.book.held_cash == dec("696.5")  # 7 at the ask of the night
        closed_market.advance("13:31:00")
        assert desk.fills(new) == [("7", "100.10")]
        assert desk.now(limit_order).status == "rejected"

    def test_what_was_filled_stays_with_the_old_order(self, desk: Desk) -> None:
        old = desk.buy("400", limit="100.10")  # 300 are displayed
        new = desk.replace(old, limit_price="100.05")
        assert desk.fills(old) == [("300", "100.10")] and desk.fills(new) == []
        assert (desk.now(old).filled_qty, new.qty, new.filled_qty) == (300, 100, 0)
        other = desk.replace(new, qty="60")
        assert other.qty == 60

    def test_qty_is_that_of_the_whole_order(self, desk: Desk) -> None:
        old = desk.buy("400", limit="100.10")
        assert refusal(desk, old, qty="300") == ("replacement_refused", "qty_already_filled")
        assert desk.replace(old, qty="301").qty == 1

    def test_what_it_took_of_a_price_stays_taken(self, desk: Desk) -> None:
        old = desk.buy("400", limit="100.10")
        new = desk.replace(old, limit_price="101")
        assert desk.state(new) == ("new", "no_displayed_size")

    def test_a_sell_passes_on_what_it_holds(self, desk: Desk) -> None:
        desk.buy("10")
        old = desk.sell("10", limit="120")
        new = desk.replace(old, limit_price="110")
        assert (desk.position().held_qty, new.held_qty, desk.now(old).held_qty) == (10, 10, 0)
        smaller = desk.replace(new, qty="3")
        assert desk.position().held_qty == 3
        assert desk.state(smaller) == ("new", "not_marketable")

    def test_an_option_is_judged_as_one_that_is_working(self, desk: Desk, open_market: MarketKit) -> None:
        """A spread too wide refuses an order that is new to the market, and leaves one open that works already."""
        open_market.play(f"14:00:00 {CALL} 4.00 4.20 20 10", f"14:00:05 {CALL} 2.00 4.20 20 10", start="14:00:00")
        order = desk.buy("1", limit="4.10", symbol=CALL)
        open_market.advance("14:00:05")
        assert desk.state(desk.replace(order, limit_price="4.30")) == ("new", "option_spread_too_wide")

    def test_it_is_sent_now(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", start="14:00:00")
        desk = Desk(trader)
        old = desk.buy("1", limit="90", time_in_force="gtc")
        market_kit.advance("2013-10-10T21:00:00Z")
        new = desk.replace(old, limit_price="91")
        assert (new.submitted_at, new.status) == (at("2013-10-10T21:00:00Z"), "accepted")
        assert (desk.now(old).expires_at, new.expires_at) == (at("2014-01-03T21:00:00Z"), at("2014-01-08T21:00:00Z"))
        assert desk.replace(new, time_in_force="day").expires_at == at("2013-10-11T20:00:00Z")

    def test_events(self, desk: Desk) -> None:
        old = desk.buy("10", limit="90")
        new = desk.replace(old, limit_price="91")
        assert desk.events(old)[-1] == ("order_replaced", "")
        assert desk.events(new) == [("order_submitted", ""), ("order_evaluated", "not_marketable")]
        kinds = list(desk.account.events.order_by("seq").values_list("type", flat=True))
        assert kinds[-3:] == ["order_replaced", "order_submitted", "order_evaluated"]


class TestRefused:
    """Nothing is changed: the old order works on."""

    def test_more_than_buying_power(self, desk: Desk) -> None:
        order = desk.buy("1000", limit="90")
        assert refusal(desk, order, limit_price="100.05") == ("replacement_refused", "insufficient_buying_power")
        assert desk.replace(order, limit_price="100").held_cash == dec("100000"), (
            "with what the old one held it just fits"
        )

    def test_more_than_is_held(self, desk: Desk) -> None:
        desk.buy("10")
        assert refusal(desk, desk.sell("6", limit="120"), qty="11") == ("replacement_refused", "short_sell_not_allowed")

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({}, "bad_request"),
            ({"client_order_id": "x"}, "bad_request"),
            ({"qty": "10"}, "replacement_changes_nothing"),
            ({"limit_price": "90.00", "time_in_force": "day"}, "replacement_changes_nothing"),
            ({"qty": "0"}, "bad_request"),
            ({"qty": "NaN"}, "bad_request"),
            ({"limit_price": "90.001"}, "bad_request"),
            ({"limit_price": "-1"}, "bad_request"),
            ({"time_in_force": "later"}, "bad_request"),
            ({"time_in_force": "ioc"}, "unsupported_order"),
            ({"stop_price": "80"}, "unsupported_order"),
            ({"trail": "1"}, "unsupported_order"),
            ({"side": "sell"}, "bad_request"),
            ({"symbol": "AAPL", "qty": "3"}, "bad_request"),
        ],
    )
    def test_changes_that_are_none(self, desk: Desk, changes: dict[str, Any], code: str) -> None:
        assert refusal(desk, desk.buy("10", limit="90"), **changes)[0] == code

    @pytest.mark.parametrize("payload", [None, [], "x", 5])
    def test_no_object(self, desk: Desk, payload: object) -> None:
        with pytest.raises(BadRequest):
            replace(account=desk.account, order_id=desk.buy("10", limit="90").pk, payload=payload)

    def test_a_market_order_has_no_limit(self, closed_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        assert refusal(desk, desk.buy("10"), limit_price="90")[0] == "bad_request"

    @pytest.mark.parametrize("end", ["filled", "rejected", "canceled", "replaced", "expired"])
    def test_an_order_that_is_closed(self, desk: Desk, open_market: MarketKit, end: str) -> None:
        order = {"filled": lambda: desk.buy("1"), "rejected": lambda: desk.sell("9")}.get(
            end, lambda: desk.buy("1", limit="90")
        )()
        if end == "canceled":
            desk.cancel(order)
        if end == "replaced":
            desk.replace(order, limit_price="91")
        if end == "expired":
            open_market.advance("20:00:00")
        assert desk.now(order).status == end
        with pytest.raises(Conflict) as no:
            desk.replace(order, qty="2")
        by = desk.now(order).replaced_by_id
        assert (no.value.code, no.value.details["status"]) == ("order_not_replaceable", end)
        assert no.value.details.get("replaced_by") == (str(by) if by else None)

    def test_an_order_of_a_generation_before(self, desk: Desk) -> None:
        order = desk.buy("1", limit="90")
        desk.reset()
        with pytest.raises(Conflict):
            desk.replace(order, qty="2")

    def test_somebody_else_s(self, desk: Desk, trader: Any) -> None:
        with pytest.raises(NotFound):
            Desk(trader).replace(desk.buy("1", limit="90"), qty="2")

    def test_a_contract_that_has_expired_meanwhile(self, desk: Desk, open_market: MarketKit) -> None:
        order = desk.buy("1", limit="1.00", symbol="O:IBM131007C00100000")
        open_market.advance("20:00:00")
        with pytest.raises((Conflict, Unprocessable)):
            desk.replace(order, qty="2")


class TestSentAgain:
    def test_with_its_id_it_is_the_order_that_it_made(self, desk: Desk) -> None:
        old = desk.buy("400", limit="100.10")
        changes = {"qty": "350", "client_order_id": "second"}
        first, again = (replace(account=desk.account, order_id=old.pk, payload=changes) for _ in range(2))
        assert (first.replayed, again.replayed) == (False, True)
        assert first.order.pk == again.order.pk
        desk.cancel(first.order)
        assert replace(account=desk.account, order_id=old.pk, payload=changes).order.status == "canceled"

    def test_with_other_changes_the_id_is_taken(self, desk: Desk) -> None:
        old = desk.buy("10", limit="90")
        desk.replace(old, qty="5", client_order_id="second")
        with pytest.raises(Conflict) as no:
            desk.replace(old, qty="6", client_order_id="second")
        assert no.value.code == "client_order_id_not_unique"

    def test_the_id_of_an_order_that_replaced_nothing_is_taken(self, desk: Desk) -> None:
        old = desk.buy("10", limit="90", client_order_id="first")
        desk.buy("5", limit="90", client_order_id="second")
        for taken in ("first", "second"):
            with pytest.raises(Conflict) as no:
                desk.replace(old, qty="5", client_order_id=taken)
            assert no.value.code == "client_order_id_not_unique"
        assert desk.now(old).status == "new"
