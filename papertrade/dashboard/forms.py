"""The dashboard's forms. They check only what a browser needs to know; the services decide, and name the field."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import QueryDict

from accounts.models import NAME_MAX_LENGTH, REASON_MAX_LENGTH, PaperAccount, Scope, User
from accounts.services import may_move_market
from papertrade.dashboard.security import SignInThrottle
from papertrade.lib.errors import PapertradeError

Result = TypeVar("Result")

GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
TOO_MANY = "Too many failed sign-ins. Wait a quarter of an hour, then try again."


class Throttled(AuthenticationForm):
    """A sign-in form whose guessing is throttled."""

    def clean(self) -> dict[str, Any]:
        if not all(self.cleaned_data.get(name) for name in ("username", "password")):
            return self.cleaned_data  # nothing to look at; the fields have said so
        throttle = SignInThrottle(self.request, self.cleaned_data["username"])
        if not throttle.allows_another():
            throttle.tell("locked_out")
            raise ValidationError(TOO_MANY, code="throttled")
        try:
            cleaned = super().clean()
        except ValidationError:
            throttle.tell("failed")
            raise
        throttle.succeeded()
        throttle.tell("succeeded", user=self.get_user().get_username())
        return cleaned


class SignInForm(Throttled):
    """Name and password, for the dashboard."""


class StaffSignInForm(Throttled, AdminAuthenticationForm):
    """Name and password, for the admin."""


class MoneyField(forms.CharField):
    """USD as people write it: `100,000` and `$50` are numbers too, by the rule of the pages' numbers.js.

    What is no number, or has a comma that may be a decimal one (`1,5`), is left to the service to refuse.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}), **options)

    def to_python(self, value: str | None) -> str:
        bare = super().to_python(value).removeprefix("$").strip()
        return bare.replace(",", "") if GROUPED.fullmatch(bare) else bare


class NewAccountForm(forms.Form):
    """A paper account to open."""

    name = forms.CharField(max_length=NAME_MAX_LENGTH, initial="Paper Account")
    initial_cash = MoneyField(label="Starting cash, USD", initial="100000", max_length=20)


class RenameForm(forms.Form):
    name = forms.CharField(max_length=NAME_MAX_LENGTH)


class ResetForm(forms.Form):
    """Ends a generation; the account's name is typed to confirm it."""

    initial_cash = MoneyField(label="Starting cash of the new generation, USD", max_length=20)
    reason = forms.CharField(label="Reason (kept with the generation)", max_length=REASON_MAX_LENGTH, required=False)
    typed_name = forms.CharField(label="Type the account's name to confirm", max_length=NAME_MAX_LENGTH)

    def __init__(self, *args: Any, account: PaperAccount, **options: Any) -> None:
        super().__init__(*args, **options)
        self.account = account

    def clean_typed_name(self) -> str:
        if self.cleaned_data["typed_name"].strip() != self.account.name:
            raise ValidationError("This is not the account's name.")
        return self.cleaned_data["typed_name"]


class ArchiveForm(forms.Form):
    understood = forms.BooleanField(label="I understand that the account cannot trade again")


class NewKeyForm(forms.Form):
    """An API key; to move the market has to be asked for, and only who may is asked."""

    name = forms.CharField(max_length=NAME_MAX_LENGTH)
    may_move_market = forms.BooleanField(label="It may also move the market's clock", required=False)

    def __init__(self, data: QueryDict | None = None, *, user: User) -> None:
        super().__init__(data)
        if not may_move_market(user):
            del self.fields["may_move_market"]

    @property
    def scopes(self) -> list[str]:
        return [Scope.PAPER, Scope.MARKET] if self.cleaned_data.get("may_move_market") else [Scope.PAPER]


def attempt(form: forms.Form, act: Callable[[], Result]) -> Result | None:
    """What the service gives, or None with its refusal put at the form's fields."""
    try:
        return act()
    except PapertradeError as refusal:
        placed = {name: problem for name, problem in refusal.details.items() if name in form.fields}
        for name, problem in placed.items():
            label = str(form.fields[name].label or name.capitalize()).split(",")[0]
            form.add_error(name, f"{label} {problem}.")
        if not placed:
            form.add_error(None, refusal.message)
        return None
