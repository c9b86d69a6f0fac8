"""Portfolio history, ledger, its verification, and the event log of an account."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.account_charts import account_charts
from portfolio.models import Book
from tests.api.contract import ENTRY, EVIDENCE, SNAPSHOT, count, instant, is_error, is_list, matches, string
from tests.api_kit import Api
from tests.market_kit import CALL, MarketKit, steady


@pytest.fixture
def account_id(api: Api, market_kit: MarketKit) -> str:
    """Bought 10 at 14:00:30; the bid rises by a dollar each minute from 14:01 on, until 14:10."""
    market_kit.play(
        "14:00:30 IBM 100.00 100.10",
        *(f"14:{minute:02d}:00 IBM {100 + minute}.00 {100 + minute}.10" for minute in range(1, 11)),
        start="14:00:30",
    )
    account_id = api.open_account()
    api.buy(account_id, qty="10")
    return account_id


def history(api: Api, account_id: str, **query: Any) -> list[tuple[str, str]]:
    rows = is_list(api.get(f"{account_id}/portfolio/history/", **query), SNAPSHOT)
    return [(row["timestamp"][11:19], row["equity"]) for row in rows]


class TestHistory:
    def test_it_works(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.advance("14:03:00")
        rows = is_list(api.get(f"{account_id}/portfolio/history/", timeframe="1Min"), SNAPSHOT)
        assert [row["timestamp"][11:19] for row in rows] == ["14:00:30", "14:01:00", "14:02:00", "14:03:00"], (
            "oldest first"
        )
        assert rows[-1] == {
            "timestamp": "2013-10-07T14:03:00.000000Z",
            "equity": "100029.0000",
            "cash": "98999.0000",
            "market_value": "1030.0000",
            "realized_pl": "0.0000",
            "unrealized_pl": "29.0000",
            "drawdown": "0.000000",
        }
        assert (rows[0]["equity"], rows[0]["drawdown"]) == ("99999.0000", "0.000010")

    @pytest.mark.parametrize(
        ("timeframe", "points"),
        [
            ("1Min", [f"14:{minute:02d}:00" for minute in range(1, 8)]),
            ("5Min", ["14:04:00", "14:07:00"]),
            ("15Min", ["14:07:00"]),
            ("1H", ["14:07:00"]),
            ("1D", ["14:07:00"]),
        ],
    )
    def test_a_point_is_the_last_snapshot_in_its_bucket(
        self, api: Api, account_id: str, market_kit: MarketKit, timeframe: str, points: list[str]
    ) -> None:
        market_kit.advance("14:07:59")
        found = [time for time, _ in history(api, account_id, timeframe=timeframe)]
        assert found[-len(points) :] == points

    def test_after_and_until(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.advance("14:05:00")
        found = history(api, account_id, timeframe="1Min", after="2013-10-07T14:02:00Z", until="2013-10-07T14:04:00Z")
        assert [time for time, _ in found] == ["14:03:00", "14:04:00"]

    @pytest.mark.parametrize("period", ["1D", "1W", "1M", "3M", "1A", "all"])
    def test_every_period(self, api: Api, account_id: str, period: str) -> None:
        assert history(api, account_id, period=period)

    @pytest.mark.parametrize(
        "query",
        [{"period": "2D"}, {"timeframe": "2Min"}, {"after": "x"}, {"limit": "1001"}, {"generation": "x"}],
        ids=str,
    )
    def test_values_that_cannot_be(self, api: Api, account_id: str, query: dict[str, str]) -> None:
        details = is_error(api.get(f"{account_id}/portfolio/history/", **query), 400, "bad_request")
        assert set(query) <= details.keys()

    def test_pages(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.advance("14:09:00")
        path = f"{account_id}/portfolio/history/"
        assert api.all(path, timeframe="1Min", limit=3) == is_list(api.get(path, timeframe="1Min"), SNAPSHOT)

    def test_a_day_for_each_session(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        """Sold on Monday, then nothing is held: each day has its point, on page, API and in the performance the same."""
        market_kit.advance("14:02:00")
        api.sell(account_id, qty="10")
        market_kit.advance("2013-10-10T14:00:00Z")
        path = f"{account_id}/portfolio/history/"
        rows = is_list(api.get(path, timeframe="1D", until="2030-01-01T00:00:00Z"), SNAPSHOT)
        assert [(row["timestamp"], row["equity"]) for row in rows] == [
            ("2013-10-07T14:00:30.000000Z", "100000.0000"),
            ("2013-10-07T20:00:00.000000Z", "100019.0000"),
            ("2013-10-08T20:00:00.000000Z", "100019.0000"),
            ("2013-10-09T20:00:00.000000Z", "100019.0000"),
            ("2013-10-10T13:30:00.000000Z", "100019.0000"),  # in progress
        ]
        assert {(row["cash"], row["realized_pl"]) for row in rows[1:]} == {("100019.0000", "19.0000")}
        assert api.all(path, timeframe="1D", limit=2) == rows
        days = api.get(f"{account_id}/performance/").json()["daily"]
        changes = [Decimal(now["equity"]) - Decimal(before["equity"]) for before, now in pairwise(rows)]
        assert [Decimal(day["pl"]) for day in days] == changes[:3] == [19, 0, 0]
        book = Book.objects.select_related("generation").get(account_id=account_id)
        drawn = account_charts(book, timeframe="1D", zone=EXCHANGE_ZONE)
        curve = drawn.figures["equity"]["data"][0]["y"]
        assert curve[: len(rows)] == [float(row["equity"]) for row in rows]
        weekly = is_list(api.get(path, timeframe="1D", period="1W"), SNAPSHOT)
        assert weekly == rows[1:]
        today = is_list(api.get(path, timeframe="1D", period="1D"), SNAPSHOT)
        assert api.all(path, timeframe="1D", period="1D", limit=1) == today

    def test_a_bad_cursor(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/portfolio/history/", cursor="zzz"), 400, "invalid_page_token")

    def test_of_an_earlier_generation(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.advance("14:03:00")
        before = history(api, account_id, timeframe="1Min")
        api.post(f"{account_id}/reset/", {"confirm": True})
        market_kit.advance("14:05:00")
        assert history(api, account_id, timeframe="1Min", generation=1) == before
        assert history(api, account_id, timeframe="1Min") == [("14:03:00", "100000.0000")]


class TestLedger:
    def test_it_works(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="4")
        rows = is_list(api.get(f"{account_id}/ledger/"))
        assert [row["sequence"] for row in rows] == [3, 2, 1], "newest first"
        for row in rows:
            for entry in row["entries"]:
                matches(entry, ENTRY)
            assert len(row["entries"]) >= 2
            debits, credits = (sum(Decimal(entry[side]) for entry in row["entries"]) for side in ("debit", "credit"))
            assert debits == credits > 0
        sell, buy, opening = rows
        assert {(e["account"], e["debit"], e["credit"]) for e in opening["entries"]} == {
            ("cash", "100000.0000", "0.0000"),
            ("capital", "0.0000", "100000.0000"),
        }
        assert {(e["account"], e["debit"], e["credit"]) for e in buy["entries"]} == {
            ("securities", "1001.0000", "0.0000"),
            ("cash", "0.0000", "1001.0000"),
        }
        # 4 x 100.00 in, cost 1001 x 4 / 10 = 400.40 out, a loss of 0.40
        assert {(e["account"], e["debit"], e["credit"]) for e in sell["entries"]} == {
            ("cash", "400.0000", "0.0000"),
            ("securities", "0.0000", "400.4000"),
            ("realized_pl", "0.4000", "0.0000"),
        }

    def test_cash_is_the_sum_of_its_entries(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="4")
        entries = [
            entry for row in api.all(f"{account_id}/ledger/") for entry in row["entries"] if entry["account"] == "cash"
        ]
        cash = sum(Decimal(entry["debit"]) - Decimal(entry["credit"]) for entry in entries)
        assert f"{cash:.4f}" == api.summary(account_id)["cash"]

    def test_pages(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="4")
        assert api.all(f"{account_id}/ledger/", limit=1) == is_list(api.get(f"{account_id}/ledger/"))

    def test_each_names_the_one_before_by_hash(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="4")
        rows = is_list(api.get(f"{account_id}/ledger/"))
        for newer, older in pairwise(rows):
            assert newer["previous_hash"] == older["hash"]


class TestVerify:
    def test_it_works(self, api: Api, account_id: str) -> None:
        body = api.get(f"{account_id}/ledger/verify/").json()
        assert list(body)[:4] == ["head", "transactions", "ok", "differences"]
        assert (body["transactions"], body["ok"], body["differences"]) == (2, True, [])
        assert body["head"] == is_list(api.get(f"{account_id}/ledger/"))[0]["hash"]

    def test_a_changed_amount_is_found(self, api: Api, account_id: str) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE portfolio_ledgerentry DISABLE TRIGGER USER")
            cursor.execute("UPDATE portfolio_ledgerentry SET debit = debit + 1 WHERE account = 'securities'")
            cursor.execute("UPDATE portfolio_ledgerentry SET credit = credit + 1 WHERE account = 'cash' AND credit > 0")
            cursor.execute("ALTER TABLE portfolio_ledgerentry ENABLE TRIGGER USER")
        body = api.get(f"{account_id}/ledger/verify/").json()
        assert body["ok"] is False
        assert body["differences"]

    def test_of_an_earlier_generation(self, api: Api, account_id: str) -> None:
        head = api.get(f"{account_id}/ledger/verify/").json()["head"]
        api.post(f"{account_id}/reset/", {"confirm": True})
        assert api.get(f"{account_id}/ledger/verify/", generation=1).json()["head"] == head
        assert api.get(f"{account_id}/ledger/verify/").json()["transactions"] == 1


EVENT = {"seq": count, "type": string, "at": instant, "order_id": lambda value: value is None or string(value)}


class TestEvents:
    def test_it_works(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, qty="5", type="limit", limit_price="50")
        api.delete(f"{account_id}/orders/{order['id']}/")
        api.post(f"{account_id}/reset/", {"confirm": True, "reason": "again"})
        rows = is_list(api.get(f"{account_id}/events/"), EVENT)
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)), "numbered without gaps"
        assert [row["type"] for row in rows if row["order_id"] is None] == ["account_opened", "account_reset"]
        for row in rows:
            assert {"reason", "evidence", "fill_id"} <= row.keys()
            if row["evidence"] is not None:
                matches(row["evidence"], EVIDENCE)

    def test_after_seq(self, api: Api, account_id: str) -> None:
        rows = is_list(api.get(f"{account_id}/events/"))
        assert is_list(api.get(f"{account_id}/events/", after_seq=2)) == rows[2:]
        assert is_list(api.get(f"{account_id}/events/", after_seq=10**6)) == []

    def test_pages(self, api: Api, account_id: str) -> None:
        assert api.all(f"{account_id}/events/", limit=1) == is_list(api.get(f"{account_id}/events/"))

    @pytest.mark.parametrize("after_seq", ["x", "-1", "1.5", "9" * 30])
    def test_after_seq_that_cannot_be(self, api: Api, account_id: str, after_seq: str) -> None:
        is_error(api.get(f"{account_id}/events/", after_seq=after_seq), 400, "bad_request")

    def test_numbers_in_evidence_are_strings(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.play(*steady(CALL, "4.00", "4.20", ["14:00:00"]), start="14:00:00")
        api.buy(account_id, symbol=CALL)
        evidence = is_list(api.get(f"{account_id}/events/"))[-1]["evidence"]
        for name in ("bid", "ask", "bid_size", "ask_size", "spread"):
            assert isinstance(evidence[name], str), name
