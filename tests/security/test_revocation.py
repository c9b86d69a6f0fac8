"""What is taken away is gone with the next request: sessions, users, keys, scopes."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey
from accounts.services import revoke_key
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory, UserFactory

OLD, NEW = "correct horse battery", "another staple entirely"

pytestmark = pytest.mark.usefixtures("open_market")


@pytest.fixture
def walter() -> Any:
    return UserFactory(username="walter", password=OLD)


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    assert client.get("/").status_code == 200
    return client


def test_a_password_change_ends_every_other_session(walter: Any) -> None:
    here, elsewhere = signed_in(walter), signed_in(walter)
    changed = here.post("/password/", {"old_password": OLD, "new_password1": NEW, "new_password2": NEW})
    assert changed.status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").url.startswith("/login/")
    assert elsewhere.get(PAPER).status_code == 401


def test_a_user_who_is_not_active_any_more(walter: Any) -> None:
    browser, bot = signed_in(walter), Api(TokenFactory(user=walter))
    walter.is_active = False
    walter.save()
    assert browser.get("/").url.startswith("/login/")
    assert (browser.get(PAPER).status_code, bot.get(PAPER).status_code) == (401, 401)


def test_signing_out_ends_the_session_and_not_only_the_cookie(walter: Any) -> None:
    browser, thief = signed_in(walter), Client()
    thief.cookies = browser.cookies.copy()
    assert thief.get("/").status_code == 200
    browser.post("/logout/")
    assert thief.get("/").url.startswith("/login/")


def test_a_key_that_worked_a_moment_ago(walter: Any) -> None:
    bot = Api(TokenFactory(user=walter, name="bot"))
    assert bot.get(PAPER).status_code == 200
    revoke_key(user=walter, key_id=ApiKey.objects.get(name="bot").pk)
    assert bot.get(PAPER).status_code == 401


def test_a_key_is_no_way_into_dashboard_or_admin(walter: Any) -> None:
    walter.is_staff = walter.is_superuser = True
    walter.save()
    bot = Api(TokenFactory(user=walter, scopes=["paper", "market"]))
    assert bot.get("/").url.startswith("/login/")
    assert bot.get("/admin/").url.startswith("/admin/login/")
    assert bot.get("/metrics").status_code == 401
