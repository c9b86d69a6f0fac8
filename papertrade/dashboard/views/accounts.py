"""The list of accounts, and opening one."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from accounts.selectors import accounts_of
from accounts.services import MAX_ACTIVE_ACCOUNTS
from papertrade.dashboard.forms import NewAccountForm, attempt
from papertrade.dashboard.live import respond
from papertrade.dashboard.overview import cards
from papertrade.trading.accounts import open_account

ARCHIVED = "archived"


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """Cards of the user's accounts; `?show=archived` adds those that were archived."""
    show_archived = request.GET.get("show") == ARCHIVED
    accounts = list(accounts_of(user=request.user, include_archived=True))
    shown = [account for account in accounts if show_archived or not account.is_archived]
    found = cards(shown)
    context = {
        "cards": found,
        "show_archived": show_archived,
        "archived_count": sum(account.is_archived for account in accounts),
        "active_count": sum(not account.is_archived for account in accounts),
        "most": MAX_ACTIVE_ACCOUNTS,
    }
    return respond(request, "dashboard/accounts.html", context)


@login_required
def new(request: HttpRequest) -> HttpResponse:
    """The form that opens an account."""
    form = NewAccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        account = attempt(form, lambda: open_account(user=request.user, **form.cleaned_data))
        if account is not None:
            messages.success(request, f"{account.name} is open.")
            return redirect("dashboard:account", account.pk)
    return render(request, "dashboard/new_account.html", {"form": form}, status=400 if form.errors else 200)
