"""Every address outside /v1/, from the URL table, for a stranger and for a trader who is not its owner.

A new page is in here as soon as it is in the URL table; those that are open to everybody are named in PUBLIC and nowhere
else. The addresses under /v1/ have their own matrix: tests/api/test_access_matrix.py.
"""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.api.test_hostile import stored
from tests.desk import Desk
from tests.factories import UserFactory

PUBLIC = {"docs/", "llms.txt", "favicon.ico", "login/", "admin/login/", "admin/logout/", "v1/"}
NOT_FOUND, SIGN_IN, UNAUTHORIZED, WRONG_METHOD = 404, 302, 401, 405


def routes(patterns: list[URLPattern | URLResolver] | None = None, prefix: str = "") -> Iterator[str]:
    """Every route of the server, as written in the URL tables."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern).lstrip("^")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route.rstrip("$")


ROUTES = sorted({route for route in routes() if not route.startswith("v1/") and route not in PUBLIC})


def test_the_table_has_every_part_of_the_server() -> None:
    for start in ("accounts/", "keys/", "lookup/", "password/", "admin/orders/", "admin/accounts/", "metrics"):
        assert any(route.startswith(start) for route in ROUTES), start


def address(route: str, desk: Desk) -> str:
    """The route with real things of a real owner in its places."""
    places = {"account_id": str(desk.account.id), "name": "orders", "content_type_id": "1"}

    def fill(place: re.Match[str]) -> str:
        return places.get(place.group(1).rpartition(":")[2], "1")

    return "/" + re.sub(r"\(\?P<[^>]+>[^)]*\)", "1", re.sub(r"<([^>]+)>", fill, route))


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_is_sent_to_the_door(desk: Desk, route: str) -> None:
    before = stored()
    for method in ("get", "post"):
        response = getattr(Client(), method)(address(route, desk))
        assert response.status_code in (SIGN_IN, UNAUTHORIZED, WRONG_METHOD, NOT_FOUND), (method, response.status_code)
        if response.status_code == SIGN_IN:
            assert response.url.startswith(("/login/", "/admin/login/")), response.url
        assert str(desk.account.name).encode() not in response.content
    assert stored() == before


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith(("admin/", "metrics"))])
def test_a_trader_is_no_operator(desk: Desk, route: str) -> None:
    browser = Client()
    browser.force_login(desk.account.user)
    for method in ("get", "post"):
        response = getattr(browser, method)(address(route, desk))
        assert response.status_code in (SIGN_IN, UNAUTHORIZED, WRONG_METHOD, NOT_FOUND), (method, response.status_code)
        if response.status_code == SIGN_IN:
            assert response.url.startswith(("/login/", "/admin/login/")), response.url


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("accounts/<")])
def test_somebody_else_s_account_is_not_there(desk: Desk, route: str) -> None:
    before, browser = stored(), Client()
    browser.force_login(UserFactory())
    for method in ("get", "post"):
        response = getattr(browser, method)(address(route, desk))
        assert response.status_code in (NOT_FOUND, WRONG_METHOD), (method, response.status_code)
        assert str(desk.account.id).encode() not in response.content or response.status_code == NOT_FOUND
    assert stored() == before
