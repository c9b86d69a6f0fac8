"""API keys: create (the token is shown this once), see their use, revoke."""

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


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The list and the form; a POST answers with the new key's token, which is stored nowhere."""
    form = NewKeyForm(request.POST or None, user=request.user)
    token = ""
    if request.method == "POST" and form.is_valid():
        name, scopes = form.cleaned_data["name"], form.scopes
        issued = attempt(form, lambda: issue_key(user=request.user, name=name, scopes=scopes))
        if issued:
            token, form = issued[1], NewKeyForm(user=request.user)
    context = {
        "form": form,
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
