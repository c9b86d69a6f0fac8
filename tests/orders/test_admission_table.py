"""Every row of the admission table (trading-rules.md section 3), named after the row; pure.

The rows that ask the market or the account are at the end, through the services; tests/api/paper/test_orders.py sends the same
refusals over HTTP.
"""

from decimal import Decimal
from typing import Any

import pytest

from marketdata.markets.current import current_market, drop_market
from orders.admission import OrderRequest, read_order
from orders.models import Order
from orders.services import submit
from papertrade.lib.errors import BadRequest, Conflict, PapertradeError, Unprocessable
from papertrade.trading.accounts import archive_account, reset_account
from tests.factories import AccountFactory
from tests.market_kit import at

CALL = "O:IBM131019C00100000"
ADJUSTED = "O:IBM1131019C00100000"
ARABIC_ONE = "\N{ARABIC-INDIC DIGIT ONE}"
FULL_WIDTH_ONE = "\N{FULLWIDTH DIGIT ONE}"


def stock(**changes: Any) -> dict[str, Any]:
    return {"symbol": "IBM", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day", **changes}


def limit(**changes: Any) -> dict[str, Any]:
    return stock(**{"type": "limit", "limit_price": "100.25", **changes})


def option(**changes: Any) -> dict[str, Any]:
    return stock(**{"symbol": CALL, "qty": "1", **changes})


def without(field: str, order: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in order.items() if name != field}


NOT_AN_OBJECT = [None, [], [stock()], "order", 1, True, Decimal(1)]

# row of the table, order, the field that the details name
BAD_REQUESTS = [
    ("unknown field", stock(quantity="1"), "quantity"),
    ("unknown field", stock(Symbol="IBM"), "Symbol"),
    ("unknown field that is null", stock(quantity=None), "quantity"),
    *[("wrong type: symbol", stock(symbol=value), "symbol") for value in (1, True, ["IBM"], {"a": 1})],
    *[("wrong type: qty", stock(qty=value), "qty") for value in (True, ["1"], {"a": 1}, "", " ", "ten")],
    *[("wrong type: side", stock(side=value), "side") for value in (1, True, ["buy"], "Buy", "hold", "")],
    *[("wrong type: type", stock(type=value), "type") for value in (1, ["market"], "mkt", "")],
    *[("wrong type: time_in_force", stock(time_in_force=value), "time_in_force") for value in (1, [], "forever", "")],
    *[("wrong type: limit_price", limit(limit_price=value), "limit_price") for value in (True, [], {}, "", "cheap")],
    *[("wrong type: position_intent", stock(position_intent=v), "position_intent") for v in (1, [], "buy", True)],
    *[("wrong type: extended_hours", limit(extended_hours=v), "extended_hours") for v in ("true", 1, 0, [], "")],
    *[("wrong type: client_order_id", stock(client_order_id=v), "client_order_id") for v in (1, [], True, {})],
    *[("wrong type: order_class", stock(order_class=v), "order_class") for v in (1, [], "complex")],
    *[("NaN or Infinity", stock(qty=v), "qty") for v in ("NaN", "sNaN", "-Infinity", "inf", Decimal("NaN"), Decimal("inf"))],
    *[("NaN or Infinity", limit(limit_price=v), "limit_price") for v in ("NaN", "Infinity", Decimal("NaN"))],
    *[("exponent bomb", stock(qty=v), "qty") for v in ("1e400", "1e-400", "1E+999999999", Decimal("1e400"), Decimal("1e-400"))],
    *[("exponent bomb", limit(limit_price=v), "limit_price") for v in ("1e400", "1e-400", Decimal("1E+999999"))],
    ("over-long string", stock(qty="1" * 1_000_000), "qty"),
    ("over-long string", stock(qty="1." + "0" * 1_000_000), "qty"),
    ("over-long string", stock(qty=10**5000), "qty"),
    ("over-long string", stock(symbol="A" * 1_000_000), "symbol"),
    ("over-long string", stock(side="buy" * 100_000), "side"),
    *[("digits that are not ASCII", stock(qty=v), "qty") for v in (FULL_WIDTH_ONE, ARABIC_ONE, "1_000", "0x10", "1,000")],
    *[
        ("symbol not a ticker or OCC symbol", stock(symbol=value), "symbol")
        for value in (
            "", " ", "1bm", "IBM ", " IBM", "IB M", "TOOLONGTICKER", "IBM\n", "IBM\x00", "12", "BRK.", ".B",
            "\N{FULLWIDTH LATIN CAPITAL LETTER I}BM", "O:", "O:IBM", "IBM131019C00100000", "O:IBM131019X00100000",
            "O:IBM131319C00100000", "O:IBM130230C00100000", "O:IBM131019C0010000", "O:IBM131019C000100000",
            "O:IBM131019C00000000", "O:IBM131019C00100000 ",
        )
    ],
    ("symbol missing", without("symbol", stock()), "symbol"),
    ("symbol null is absent", stock(symbol=None), "symbol"),
    ("qty missing", without("qty", stock()), "qty"),
    ("qty null is absent", stock(qty=None), "qty"),
    *[("qty zero", stock(qty=value), "qty") for value in ("0", "0.000000", "-0", 0, Decimal("0.0"), "0e5")],
    *[("qty negative", stock(qty=value), "qty") for value in ("-1", -1, Decimal("-0.5"), "-0.000001")],
    *[("qty of more than 6 decimals", stock(qty=value), "qty") for value in ("1.0000001", Decimal("0.0000001"), "1e-7")],
    *[("qty over 1,000,000,000", stock(qty=v), "qty") for v in ("1000000000.000001", "1000000001", 10**10, "1e10")],
    ("side missing", without("side", stock()), "side"),
    ("type missing", without("type", stock()), "type"),
    ("limit without limit_price", without("limit_price", limit()), "limit_price"),
    ("limit with limit_price null", limit(limit_price=None), "limit_price"),
    ("market with limit_price", stock(limit_price="1"), "limit_price"),
    *[("price not > 0", limit(limit_price=value), "limit_price") for value in ("0", "-1", 0, "-0.00", Decimal("-0.01"))],
    *[("stock price >= 1 of more than 2 decimals", limit(limit_price=v), "limit_price") for v in ("1.001", "10.123", "1.0001")],
    *[("stock price below 1 of more than 4 decimals", limit(limit_price=v), "limit_price") for v in ("0.99999", "0.00001")],
    *[
        ("option price of more than 2 decimals", option(type="limit", limit_price=value), "limit_price")
        for value in ("0.125", "4.001", Decimal("0.0125"))
    ],
    ("client_order_id over 128 characters", stock(client_order_id="x" * 129), "client_order_id"),
]  # fmt: skip

UNSUPPORTED = [
    ("notional", without("qty", stock(notional="100"))),
    ("notional", stock(notional="100")),
    ("type stop", stock(type="stop", stop_price="90")),
    ("type stop, alone", stock(type="stop")),
    ("type stop_limit", stock(type="stop_limit", stop_price="90", limit_price="91")),
    ("type trailing_stop", stock(type="trailing_stop", trail_percent="5")),
    ("stop_price", stock(stop_price="90")),
    ("trail_price", stock(trail_price="1")),
    ("trail_percent", stock(trail_percent="1")),
    *[(f"order_class {word}", stock(order_class=word)) for word in ("bracket", "oco", "oto", "mleg")],
    ("legs", stock(legs=[{"symbol": CALL, "ratio_qty": "1"}])),
    ("take_profit", stock(take_profit={"limit_price": "110"})),
    ("stop_loss", stock(stop_loss={"stop_price": "90"})),
    ("option with fractional qty", option(qty="1.5")),
    *[
        (f"option with time_in_force {word}", option(time_in_force=word))
        for word in ("gtc", "ioc", "fok", "opg", "cls")
    ],
    ("option with extended_hours", option(type="limit", limit_price="4.25", extended_hours=True)),
    *[(f"option with intent {word}", option(position_intent=word)) for word in ("buy_to_close", "sell_to_open")],
    *[(f"stock with time_in_force {word}", stock(time_in_force=word)) for word in ("ioc", "fok", "opg", "cls")],
    ("intent that contradicts the side: stock", stock(position_intent="sell_to_close")),
    ("intent that contradicts the side: option buy", option(position_intent="sell_to_close")),
    ("intent that contradicts the side: option sell", option(side="sell", position_intent="buy_to_open")),
    *[(f"stock with intent {word}", stock(position_intent=word)) for word in ("buy_to_close", "sell_to_open")],
    ("adjusted option root", option(symbol=ADJUSTED)),
    *[
        (f"AM-settled root {root}", option(symbol=f"O:{root}131018C00100000"))
        for root in ("SPX", "NDX", "RUT", "DJX", "VIX", "VIXW")
    ],
    *[(f"the index {index} as a stock", stock(symbol=index)) for index in ("SPX", "NDX", "RUT", "VIX", "XSP")],
    ("market order in extended hours", stock(extended_hours=True)),
]

TAKEN = [
    ("market buy", stock()),
    ("limit sell", limit(side="sell")),
    ("gtc", limit(time_in_force="gtc")),
    ("qty as a JSON number", stock(qty=10)),
    ("qty as a JSON decimal", stock(qty=Decimal("10.5"))),
    ("decimals counted on the normalised value", stock(qty="10.000000000")),
    ("limit_price counted on the normalised value", limit(limit_price="100.2500000")),
    ("smallest qty", stock(qty="0.000001")),
    ("largest qty", stock(qty="1000000000")),
    ("price of 4 decimals below 1", limit(limit_price="0.9999")),
    ("null is absent", stock(limit_price=None, notional=None, legs=None, stop_price=None, client_order_id=None)),
    ("order_class simple", stock(order_class="simple")),
    ("order_class empty", stock(order_class="")),
    ("intent that agrees", stock(position_intent="buy_to_open")),
    ("stock with sell_to_close", limit(side="sell", position_intent="sell_to_close")),
    ("option buy", option()),
    ("option limit", option(type="limit", limit_price="4.25", position_intent="buy_to_open")),
    ("option qty that is whole after normalising", option(qty="2.000")),
    ("extended_hours on a limit order", limit(extended_hours=True)),
    ("extended_hours false on a market order", stock(extended_hours=False)),
    ("option with extended_hours false", option(extended_hours=False)),
    ("client_order_id of 128 characters", stock(client_order_id="x" * 128)),
    ("ticker with a class", stock(symbol="BRK.B")),
]


def named(rows: list[tuple]) -> list[Any]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize("body", NOT_AN_OBJECT, ids=repr)
def test_a_body_that_is_not_an_object(body: object) -> None:
    with pytest.raises(BadRequest):
        read_order(body)


@pytest.mark.parametrize(("order", "field"), named(BAD_REQUESTS))
def test_bad_request(order: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_order(order)
    assert refusal.value.code == "bad_request"
    assert field in refusal.value.details


@pytest.mark.parametrize("order", [pytest.param(order, id=name) for name, order in UNSUPPORTED])
def test_unsupported_order_names_the_feature(order: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read_order(order)
    assert refusal.value.code == "unsupported_order"
    assert refusal.value.message or refusal.value.details


@pytest.mark.parametrize("order", [pytest.param(order, id=name) for name, order in TAKEN])
def test_taken(order: dict[str, Any]) -> None:
    assert isinstance(read_order(order), OrderRequest)


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(BadRequest) as refusal:
        read_order(stock(symbol="1bm", qty="-1", side="hold"))
    assert {"symbol", "qty", "side"} <= refusal.value.details.keys()


def test_numbers_never_pass_through_float() -> None:
    assert read_order(stock(qty="999999999.999999")).qty == Decimal("999999999.999999")
    assert read_order(limit(limit_price=Decimal("0.1"))).limit_price == Decimal("0.1")


def test_unknown_fields_are_refused_before_unsupported_features() -> None:
    with pytest.raises(BadRequest):
        read_order(stock(notional="100", quantity="1"))


def test_unsupported_features_are_refused_before_shape() -> None:
    with pytest.raises(Unprocessable):
        read_order(stock(type="stop", qty="-1"))


def test_an_option_order_without_an_intent_gets_the_one_of_its_side() -> None:
    assert read_order(option()).intent == "buy_to_open"
    assert read_order(option(side="sell")).intent == "sell_to_close"


def test_a_stock_order_without_an_intent_has_none() -> None:
    assert read_order(stock()).intent == ""


@pytest.mark.parametrize(
    ("root", "underlying"), [("SPXW", "SPX"), ("XSP", "XSP"), ("RUTW", "RUT"), ("BRKB", "BRK.B"), ("IBM", "IBM")]
)
def test_roots_that_differ_from_their_ticker(root: str, underlying: str) -> None:
    assert read_order(option(symbol=f"O:{root}131019C00100000")).instrument.underlying == underlying


class TestRowsThatAskTheMarketOrTheAccount:
    @pytest.fixture(autouse=True)
    def _account(self, open_market: Any, trader: Any) -> None:
        self.market = open_market
        self.account = AccountFactory(user=trader)

    def refused(self, kind: type[PapertradeError], order: dict[str, Any]) -> PapertradeError:
        before = Order.objects.count()
        with pytest.raises(kind) as refusal:
            submit(account=self.account, payload=order)
        assert Order.objects.count() == before, "refused means that nothing is stored"
        return refusal.value

    def test_option_contract_already_expired(self) -> None:
        assert self.refused(Unprocessable, option(symbol="O:IBM131004C00100000")).code == "contract_expired"

    def test_a_contract_lives_until_the_close_of_its_last_session(self) -> None:
        today = option(symbol="O:IBM131007C00100000", client_order_id="today")
        self.market.advance("19:59:59")
        submit(account=self.account, payload=today)
        self.market.advance("20:00:00")
        assert self.refused(Unprocessable, option(symbol="O:IBM131007C00100000")).code == "contract_expired"

    def test_a_contract_dated_saturday_ends_with_the_friday_before(self) -> None:
        self.market.play(start="2013-10-18T19:59:00Z")
        submit(account=self.account, payload=option())
        self.market.advance("2013-10-18T20:00:00Z")
        assert self.refused(Unprocessable, option()).code == "contract_expired"

    def test_symbol_that_the_market_says_does_not_exist(self, settings: Any) -> None:
        self.simulated(settings)
        assert self.refused(Unprocessable, stock(symbol="ZZZZZ")).code == "unknown_symbol"
        assert self.refused(Unprocessable, option(symbol="O:ZZZZZ270115C00100000")).code == "unknown_symbol"
        submit(account=self.account, payload=stock(symbol="AAPL"))

    def simulated(self, settings: Any) -> None:
        from marketdata.models import MarketClock

        settings.PAPERTRADE_MARKET = "simulated"
        settings.PAPERTRADE_START = at("2026-05-15T13:00:00Z")
        MarketClock.objects.all().delete()
        drop_market()
        current_market().start()

    def test_archived_account(self) -> None:
        archive_account(account=self.account)
        assert self.refused(Conflict, stock()).code == "account_archived"

    def test_client_order_id_used_again_for_the_same_order_replays_it(self) -> None:
        first = submit(account=self.account, payload=stock(client_order_id="a"))
        again = submit(account=self.account, payload=stock(client_order_id="a"))
        assert (first.replayed, again.replayed) == (False, True)
        assert again.order.id == first.order.id
        assert Order.objects.count() == 1

    def test_the_same_order_spelled_differently_replays_it(self) -> None:
        first = submit(account=self.account, payload=limit(client_order_id="a"))
        again = submit(
            account=self.account,
            payload=limit(
                client_order_id="a", qty=Decimal("10.000"), limit_price=Decimal("100.250"), extended_hours=False
            ),
        )
        assert (again.replayed, again.order.id) == (True, first.order.id)

    def test_the_defaulted_intent_of_an_option_is_the_same_as_the_written_one(self) -> None:
        submit(account=self.account, payload=option(client_order_id="a"))
        assert submit(account=self.account, payload=option(client_order_id="a", position_intent="buy_to_open")).replayed

    def test_a_rejected_order_is_replayed_too(self) -> None:
        first = submit(account=self.account, payload=stock(client_order_id="a", side="sell"))
        assert first.order.status == "rejected"
        again = submit(account=self.account, payload=stock(client_order_id="a", side="sell"))
        assert (again.replayed, again.order.id) == (True, first.order.id)

    @pytest.mark.parametrize(
        "other",
        [
            {"qty": "11"},
            {"side": "sell"},
            {"type": "market", "limit_price": None},
            {"time_in_force": "gtc"},
            {"limit_price": "100.26"},
            {"symbol": "AAPL"},
            {"extended_hours": True},
            {"position_intent": "buy_to_open"},
        ],
        ids=str,
    )
    def test_client_order_id_used_again_for_another_order(self, other: dict[str, Any]) -> None:
        first = submit(account=self.account, payload=limit(client_order_id="a"))
        refusal = self.refused(Conflict, limit(client_order_id="a", **other))
        assert refusal.code == "client_order_id_not_unique"
        assert str(first.order.id) in refusal.details.values(), "the answer names the existing order"

    def test_a_late_retry_replays_though_the_contract_has_expired_meanwhile(self) -> None:
        self.market.play(start="2013-10-18T19:59:00Z")
        first = submit(account=self.account, payload=option(client_order_id="a"))
        self.market.advance("2013-10-18T20:00:00Z")
        again = submit(account=self.account, payload=option(client_order_id="a"))
        assert (again.replayed, again.order.id) == (True, first.order.id)

    def test_a_late_retry_replays_though_the_account_was_archived_meanwhile(self) -> None:
        first = submit(account=self.account, payload=stock(client_order_id="a"))
        archive_account(account=self.account)
        again = submit(account=self.account, payload=stock(client_order_id="a"))
        assert (again.replayed, again.order.id) == (True, first.order.id)

    def test_a_refused_order_uses_no_id_up(self) -> None:
        self.refused(Unprocessable, stock(client_order_id="a", type="stop"))
        assert not submit(account=self.account, payload=stock(client_order_id="a")).replayed

    def test_a_new_generation_has_its_own_ids(self) -> None:
        submit(account=self.account, payload=stock(client_order_id="a"))
        reset_account(account=self.account, confirm=True)
        assert not submit(account=self.account, payload=stock(client_order_id="a")).replayed

    def test_a_client_order_id_that_was_not_sent_is_made(self) -> None:
        first, second = (submit(account=self.account, payload=stock()).order for _ in range(2))
        assert first.client_order_id and first.client_order_id != second.client_order_id
