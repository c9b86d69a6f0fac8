"""Keys, schemes, scopes and the dashboard's session. Every call against every wrong key is in test_access_matrix.py."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Scope
from accounts.services import issue_key, let_move_market
from papertrade.backoffice.groups import AUDITOR, OPERATOR
from papertrade.lib.errors import BadRequest
from tests.api.contract import is_account_and_summary, is_error, is_list
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory, UserFactory

pytestmark = pytest.mark.usefixtures("open_market")

PREFIX_END = 15  # of a token: the mark and the prefix, which are no secret
ADVANCE = "/v1/market/clock/advance/"


@pytest.mark.parametrize("header", ["Basic Y206", "Bearer", "Bearer a b", "bearer", "Token cm_x"])
def test_another_scheme_is_no_key(header: str) -> None:
    response = Api(None).request("GET", PAPER, headers={"Authorization": header})
    is_error(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("make", [lambda one, other: one[:PREFIX_END] + other[PREFIX_END:], lambda *_: "cm_\x00\x01"])
def test_a_prefix_is_no_key(make: Any) -> None:
    is_error(Api(make(TokenFactory(), TokenFactory())).get(PAPER), 401, "unauthorized")


def test_a_paper_key_reads_the_market_and_does_not_move_it(api: Api) -> None:
    for path in ("/v1/market/clock/", "/v1/market/calendar/", "/v1/market/quotes/?symbols=IBM"):
        assert api.request("GET", path).status_code == 200
    is_error(api.post(ADVANCE, {"seconds": 1}), 403, "forbidden")


def test_a_key_moves_the_market_only_while_its_user_may(trader: Any) -> None:
    with pytest.raises(BadRequest, match="may not move the market"):
        issue_key(user=UserFactory(), name="greedy", scopes=[Scope.MARKET])
    api = Api(TokenFactory(user=trader, scopes=["paper", "market"]))
    assert api.post(ADVANCE, {"seconds": 1}).status_code == 200
    trader.user_permissions.clear()
    is_error(api.post(ADVANCE, {"seconds": 1}), 403, "forbidden")
    assert api.get(PAPER).status_code == 200


@pytest.mark.usefixtures("within_one_window")
def test_a_refused_request_is_counted_too(api: Api, settings: Any) -> None:
    settings.PAPERTRADE_RATE_LIMIT_DAY = 2
    left = [api.post(ADVANCE, {"seconds": 1}).headers["X-RateLimit-Remaining-Day"] for _ in range(2)]
    assert left == ["1", "0"]
    is_error(api.post(ADVANCE, {"seconds": 1}), 429, "rate_limit_exceeded")


@pytest.mark.parametrize("path", [PAPER, "/v1/nowhere/", "/v1/status/"])
def test_an_answer_to_nobody_shows_the_limits_too(path: str) -> None:
    headers = Api(None).get(path).headers
    assert headers["X-RateLimit-Plan"] and headers["X-RateLimit-Remaining-Minute"]


class TestDashboardSession:
    """The cookie of the dashboard on the same endpoints; what changes something needs the CSRF token as well."""

    @pytest.fixture
    def browser(self, trader: Any) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(trader)
        return client

    def test_it_reads(self, browser: Client, api: Api) -> None:
        account = api.open_account()
        assert [row["id"] for row in is_list(browser.get(PAPER))] == [account]

    @pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
    def test_a_forged_form_changes_nothing(self, browser: Client, content_type: str) -> None:
        is_error(browser.post(PAPER, b"{}", content_type=content_type), 403, "forbidden")
        assert is_list(browser.get(PAPER)) == []

    def test_with_the_token_it_writes(self, browser: Client) -> None:
        token = "t" * 32
        browser.cookies["csrftoken"] = token
        response = browser.post(PAPER, b"{}", content_type="application/json", headers={"X-CSRFToken": token})
        is_account_and_summary(response, 201)

    def test_only_who_has_the_right_moves_the_market(self, trader: Any) -> None:
        auditor, owner, operator = UserFactory(is_staff=True), UserFactory(), UserFactory(is_staff=True)
        auditor.groups.add(Group.objects.get(name=AUDITOR))
        operator.groups.add(Group.objects.get(name=OPERATOR))
        let_move_market(user=owner)
        for user, status in ((trader, 403), (auditor, 403), (owner, 200), (operator, 200)):
            client = Client()
            client.force_login(user)
            response = client.post(ADVANCE, '{"seconds": 1}', content_type="application/json")
            assert response.status_code == status, response.content
