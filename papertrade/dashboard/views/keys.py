"""API keys: create (the token is shown this once), see their use, revoke."""

import secrets

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import ApiKey
from accounts.services import issue_key, revoke_key
from papertrade.dashboard.forms import NewKeyForm, attempt
from papertrade.lib.errors import NotFound

USED_FORMS = "used_key_forms"
USED_FORMS_REMEMBERED = 50


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The list and the form; a POST answers with the new key's token, which is stored nowhere.

    A form makes one key: sent again, as by a reload, it makes none.
    """
    form = NewKeyForm(request.POST or None, user=request.user)
    token = ""
    used = request.session.get(USED_FORMS, [])
    if request.method == "POST" and request.POST.get("form_id") in used:
        messages.info(request, "That form has made its key, which was shown once. Nothing more was made.")
        return redirect("dashboard:keys")
    if request.method == "POST" and form.is_valid():
        name, scopes = form.cleaned_data["name"], form.scopes
        issued = attempt(form, lambda: issue_key(user=request.user, name=name, scopes=scopes))
        if issued:
            token, form = issued[1], NewKeyForm(user=request.user)
            request.session[USED_FORMS] = [*used, request.POST.get("form_id")][-USED_FORMS_REMEMBERED:]
    context = {
        "form": form,
        "form_id": secrets.token_urlsafe(12),
        "token": token,
        "keys": ApiKey.objects.filter(user=request.user),
        "base_url": request.build_absolute_uri("/v1"),
    }
    return render(request, "dashboard/keys.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """End a key at once."""
    try:
        key = revoke_key(user=request.user, key_id=key_id)
    except NotFound as missing:
        raise Http404(missing.message) from None
    messages.success(request, f"The key {key.name} is revoked. Requests with it are refused from now on.")
    return redirect("dashboard:keys")
