"""Pages and queries: each row once, in order, at a cost that does not grow; what next_url did not write is refused."""

import base64

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketdata.sessions import calendar
from tests.api.contract import is_error, is_list
from tests.api_kit import PAPER, Api

pytestmark = pytest.mark.usefixtures("open_market")
LISTS = ["orders/", "fills/", "positions/", "ledger/", "events/", "generations/", "portfolio/history/"]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.fixture
def account(api: Api) -> str:
    """An account with three fills."""
    account = api.open_account()
    for number in range(3):
        api.buy(account, client_order_id=f"order-{number}")
    return account


@pytest.mark.parametrize("path", ["orders/", "fills/", "ledger/", "events/"])
def test_pages_of_one_row_are_the_whole_list(api: Api, account: str, path: str) -> None:
    assert api.all(f"{account}/{path}", limit=1) == api.all(f"{account}/{path}")


def test_accounts_are_paged(api: Api) -> None:
    made = [api.open_account(name=f"strategy {number}") for number in range(3)]
    assert [row["id"] for row in api.all(PAPER, limit=2)] == made


def test_positions_are_paged_by_symbol(api: Api, account: str) -> None:
    api.buy(account, symbol="O:IBM131019C00100000", type="limit", limit_price="4.20", client_order_id="call")
    assert [row["symbol"] for row in api.all(f"{account}/positions/", limit=1)] == ["IBM", "O:IBM131019C00100000"]


def test_a_calendar_longer_than_a_page_is_not_cut(api: Api) -> None:
    dates = [
        row["date"]
        for row in api.all(
            "/v1/market/calendar/", start="2005-01-01", end=calendar().end.date().isoformat(), limit=1000
        )
    ]
    assert dates == [day.date.isoformat() for day in calendar().sessions]
    assert len(dates) > 1000


def test_the_calendar_ends_where_times_end(api: Api) -> None:
    assert is_list(api.get("/v1/market/calendar/", start="2999-12-31")) == []
    for day in ("1969-12-31", "3000-01-01", "9999-12-31"):
        assert "start" in is_error(api.get("/v1/market/calendar/", start=day), 400, "bad_request")


def test_next_url_keeps_the_filters_and_the_host(api: Api, account: str) -> None:
    url = api.get(f"{account}/orders/", limit=1, status="closed", symbol="IBM").json()["next_url"]
    assert url.startswith(f"http://testserver{PAPER}{account}/orders/?limit=1&status=closed&symbol=IBM&cursor=")
    url = api.get(f"{account}/orders/", limit=1, symbols=["IBM", "MSFT"]).json()["next_url"]
    assert "?limit=1&symbols=IBM&symbols=MSFT&cursor=" in url, "a list that was sent in parts goes on whole"


def test_a_row_that_comes_between_two_pages_moves_none(api: Api, account: str) -> None:
    first = api.get(f"{account}/orders/", limit=1).json()
    api.buy(account, client_order_id="late")
    second = api.request("GET", first["next_url"].removeprefix("http://testserver")).json()
    assert [row["client_order_id"] for row in first["results"] + second["results"]] == ["order-2", "order-1"]


@pytest.mark.parametrize("path", ["", *(f"{{account}}/{path}" for path in LISTS)])
@pytest.mark.parametrize(
    "token",
    ["", "é", "[", cursor(""), cursor("\x00"), cursor("9" * 65), cursor("x\ny"), base64.b64encode(b"[" * 5000).decode()],
)  # fmt: skip
def test_a_cursor_that_next_url_did_not_write(api: Api, account: str, path: str, token: str) -> None:
    is_error(api.get(f"{PAPER}{path.format(account=account)}", cursor=token), 400, "invalid_page_token")


@pytest.mark.parametrize("path", ["", "{account}/orders/", "{account}/events/", "{account}/portfolio/history/"])
@pytest.mark.parametrize("key", ["abc", " 1", "1e3", "01", "-", "9" * 40, "1_0"])
def test_a_cursor_that_is_no_key_of_the_list(api: Api, account: str, path: str, key: str) -> None:
    is_error(api.get(f"{PAPER}{path.format(account=account)}", cursor=cursor(key)), 400, "invalid_page_token")


@pytest.mark.parametrize("path", ["", *(f"{{account}}/{path}" for path in LISTS)])
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "\uff11", "1.0"])
def test_limits_that_cannot_be(api: Api, account: str, path: str, limit: str) -> None:
    details = is_error(api.get(f"{PAPER}{path.format(account=account)}", limit=limit), 400, "bad_request")
    assert list(details) == ["limit"]


def test_a_limit_is_said_once(api: Api, account: str) -> None:
    for name in ("limit", "cursor"):
        details = is_error(api.get(f"{account}/orders/", **{name: ["1", "2"]}), 400, "bad_request")
        assert details == {name: "is given more than once"}


@pytest.mark.parametrize("name", ["format", "page", "unknown", "sort", "as_of"])
def test_parameters_that_do_not_exist_are_refused(api: Api, account: str, name: str) -> None:
    assert list(is_error(api.get(f"{account}/orders/", **{name: "x"}), 400, "bad_request")) == [name]


@pytest.mark.parametrize("path", ["orders/", "fills/", "ledger/", "events/"])
def test_queries_do_not_grow_with_the_rows(api: Api, account: str, path: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            api.get(f"{account}/{path}")
        return len(seen)

    before = queries()
    for number in range(4):
        api.buy(account, client_order_id=f"more-{number}")
    assert queries() == before


def test_queries_do_not_grow_with_the_accounts(api: Api) -> None:
    counts: list[int] = []
    for _ in range(2):
        api.open_account()
        with CaptureQueriesContext(connection) as seen:
            api.get(PAPER)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_a_page_counts_no_table(api: Api, account: str) -> None:
    with CaptureQueriesContext(connection) as seen:
        api.get(f"{account}/orders/", limit=1)
    assert not [query for query in seen.captured_queries if "COUNT(" in query["sql"].upper()]


@pytest.mark.parametrize("accept", ["text/html", "image/png", "text/event-stream", "application/xml", "nonsense"])
@pytest.mark.parametrize("path", [PAPER, "/v1/openapi.json"])
def test_accept_chooses_nothing(api: Api, accept: str, path: str) -> None:
    response = api.request("GET", path, headers={"Accept": accept})
    assert response.status_code == 200
    assert "json" in response.headers["Content-Type"]
