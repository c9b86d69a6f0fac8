"""Rename, reset and archive an account: one page, three forms, consequences spelled out."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.models import PaperAccount
from papertrade.dashboard.forms import ArchiveForm, RenameForm, ResetForm, attempt
from papertrade.dashboard.views.account import account_view, read_page
from papertrade.trading.accounts import archive_account, rename_account, reset_account

TAB = "manage"


@account_view
def manage(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """The page; each form posts here and says by the name of its button which it is."""
    page = read_page(request, account, TAB)
    sent = request.POST if request.method == "POST" else None
    forms: dict[str, Any] = {
        "rename": RenameForm(sent if sent and "rename" in sent else None, initial={"name": account.name}),
        "reset": ResetForm(
            sent if sent and "reset" in sent else None,
            account=account,
            initial={"initial_cash": f"{page.book.generation.initial_cash.normalize():f}"},
        ),
        "archive": ArchiveForm(sent if sent and "archive" in sent else None),
    }
    for name, form in forms.items():
        if form.is_bound and form.is_valid() and _ACTS[name](request, account, form):
            return redirect("dashboard:accounts" if name == "archive" else "dashboard:account", *_target(name, account))
    failed = any(form.errors for form in forms.values())
    return render(request, "dashboard/manage.html", page.context(forms=forms), status=400 if failed else 200)


def _target(name: str, account: PaperAccount) -> list[object]:
    return [] if name == "archive" else [account.pk]


def _rename(request: HttpRequest, account: PaperAccount, form: RenameForm) -> bool:
    name = form.cleaned_data["name"]
    renamed = attempt(form, lambda: rename_account(account=account, name=name))
    if renamed:
        messages.success(request, f"The account is called {renamed.name} now.")
    return renamed is not None


def _reset(request: HttpRequest, account: PaperAccount, form: ResetForm) -> bool:
    given = form.cleaned_data
    reset = attempt(
        form,
        lambda: reset_account(
            account=account, confirm=True, initial_cash=given["initial_cash"], reason=given["reason"]
        ),
    )
    if reset:
        said = "is as fresh as it was: nothing had happened in it" if reset.replayed else "starts a new generation"
        messages.success(request, f"{account.name} {said}.")
    return reset is not None


def _archive(request: HttpRequest, account: PaperAccount, form: ArchiveForm) -> bool:
    def act() -> bool:
        archive_account(account=account)
        return True

    done = attempt(form, act)
    if done:
        messages.success(request, f"{account.name} is archived. Its history stays readable.")
    return bool(done)


_ACTS = {"rename": _rename, "reset": _reset, "archive": _archive}
