"""Every form of the server, found by reading every page, with hostile values in every field: never a failure of the server.

A new form is in here as soon as a page shows it. Forms that appear only after a click are listed in HIDDEN.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import ApiKey, PaperAccount
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.security.test_every_address import ROUTES, address

VALUES: dict[str, bytes] = {
    "empty": b"", "blank": b"  ", "NUL": b"a%00b", "newlines": b"%0d%0aa", "not UTF-8": b"%ff%fe", "long": b"a" * 60_000,
    "a number": b"-1e400", "not a number": b"NaN", "many digits": b"9" * 5_000, "markup": b"%3Cscript%3E", "wide": b"%EF%BC%91",
}  # fmt: skip
FORM = "application/x-www-form-urlencoded"
DOORS = ["login/", "admin/login/"]


@dataclass
class Form:
    """A form as its page has it: where it goes, and what a person who changes nothing would send."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """The forms of a page that are posted."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", "")) if given.get("method", "").lower() == "post" else None
            self.forms += [self._open] if self._open else []
        elif self._open is None:
            return
        elif tag in ("input", "textarea", "button") and given.get("name"):
            self._open.fields[given["name"]] = given.get("value", "")
        elif tag == "select" and given.get("name"):
            self._select = given["name"]
            self._open.fields[self._select] = ""
        elif tag == "option" and self._select and ("selected" in given or not self._open.fields[self._select]):
            self._open.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "form":
            self._open = None


def forms_of(browser: Client, path: str) -> list[Form]:
    """The forms of the page at that address; none where there is no page."""
    answer = browser.get(path)
    if answer.status_code != 200 or "html" not in answer.headers.get("Content-Type", ""):
        return []
    reader = Reader()
    reader.feed(answer.content.decode())
    for form in reader.forms:
        form.action = form.action or path
    return reader.forms


def bodies(form: Form) -> Iterator[tuple[str, bytes]]:
    """Each value in every field at once, and the worst ones in each field by itself."""
    for kind, value in VALUES.items():
        yield f"{kind} everywhere", b"&".join(urlencode({name: ""}).encode() + value for name in form.fields)
    for name in form.fields:
        others = urlencode({other: value for other, value in form.fields.items() if other != name}).encode()
        for kind in ("blank", "NUL", "long"):
            yield f"{kind} in {name}", others + b"&" + urlencode({name: ""}).encode() + VALUES[kind]
        yield f"{name} twice", others + b"&" + urlencode([(name, "a"), (name, "b")]).encode()


def send(browser: Client, form: Form) -> set[int]:
    """The statuses of all the answers."""
    seen = set()
    for kind, body in bodies(form):
        answer = browser.post(form.action, body, content_type=FORM)
        assert answer.status_code < 500, (form.action, kind)
        seen.add(answer.status_code)
    return seen


@pytest.fixture
def owner(desk: Desk) -> Client:
    """Signed in with every right."""
    user = desk.account.user
    user.is_staff = user.is_superuser = True
    user.save()
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    return browser


@pytest.mark.parametrize("door", DOORS)
def test_the_doors(db: None, door: str) -> None:
    browser = Client(raise_request_exception=False)
    (form,) = forms_of(browser, f"/{door}")
    assert {"username", "password"} <= form.fields.keys()
    send(browser, form)
    assert "sessionid" not in browser.cookies


@pytest.mark.parametrize("route", ROUTES)
def test_every_form_of_every_page(desk: Desk, owner: Client, route: str) -> None:
    for form in forms_of(owner, address(route, desk)):
        if "logout" not in form.action:
            send(owner, form)


def test_pages_have_the_forms_that_are_known(desk: Desk, owner: Client) -> None:
    """What would go unnoticed: a reader of pages that finds nothing."""
    found = {form.action for route in ROUTES for form in forms_of(owner, address(route, desk))}
    for known in (
        "/accounts/new/",
        "/keys/",
        "/password/",
        f"/accounts/{desk.account.pk}/manage/",
        "/admin/accounts/user/add/",
    ):
        assert known in found


# Forms that a page shows only after a choice: what is posted, and where.
HIDDEN = {
    "archive accounts": ("/admin/accounts/paperaccount/", "archive", PaperAccount),
    "revoke keys": ("/admin/accounts/apikey/", "revoke", ApiKey),
    "delete groups": ("/admin/auth/group/", "delete_selected", Group),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_actions_with_a_reason(desk: Desk, owner: Client, kind: str) -> None:
    TokenFactory(user=UserFactory())
    path, action, model = HIDDEN[kind]
    chosen = str(model.objects.latest("pk").pk)
    send(
        owner,
        Form(
            path, {"action": action, ACTION_CHECKBOX_NAME: chosen, "reason": "why", "index": "0", "select_across": "0"}
        ),
    )
