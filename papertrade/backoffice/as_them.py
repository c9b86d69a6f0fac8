"""A user's dashboard as that user sees it, read only: every page under /admin/as/ID/, in a transaction that cannot write.

The address says whose it is, so nothing is left in the session of whoever looks. Each page that is opened is logged.
"""

import copy
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import Resolver404, get_script_prefix, resolve, reverse, set_script_prefix
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.models import User
from papertrade.dashboard.zones import zone_of

RIGHTS = ("accounts.view_user", "accounts.view_paperaccount", "orders.view_order")
DASHBOARD = "dashboard"
OWN = frozenset({"sign_in", "sign_out", "password"})  # pages about who has signed in
SAFE = frozenset({"GET", "HEAD"})
SAME_LOOK = timedelta(minutes=5)
LONGEST = 300


@never_cache
def as_them(request: HttpRequest, user_id: int, path: str = "") -> HttpResponse:
    """The page at that address of the dashboard, for that user."""
    if not request.user.has_perms(RIGHTS):
        raise PermissionDenied
    if request.method not in SAFE:
        raise PermissionDenied("This is somebody else's dashboard: you may look, and change nothing.")
    them = get_object_or_404(User, pk=user_id)
    try:
        match = resolve(f"/{path}")
    except Resolver404:
        match = None
    if match is None or match.app_name != DASHBOARD or match.url_name in OWN or "\x00" in path:
        return redirect(f"/{path}")
    _log(request, them, path)
    prefix = get_script_prefix()
    set_script_prefix(reverse("admin:as_them", args=[user_id]))
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            theirs = _their_request(request, them, path, match)
            try:
                with timezone.override(zone_of(theirs)):
                    return match.func(theirs, *match.args, **match.kwargs)
            finally:
                transaction.set_rollback(True)  # there is nothing to commit, and nothing stays read-only
    finally:
        set_script_prefix(prefix)


def _their_request(request: HttpRequest, them: User, path: str, match: Any) -> HttpRequest:
    theirs = copy.copy(request)
    theirs.user, theirs.looked_at_by = them, request.user
    theirs.path_info, theirs.resolver_match = f"/{path}", match
    return theirs


def _log(request: HttpRequest, them: User, path: str) -> None:
    """Log the look; an open page reloads itself every few seconds, and is logged once every five minutes."""
    what = f"looked at their dashboard, as them: /{path}"[:LONGEST]
    lately = timezone.now() - SAME_LOOK
    of_late = LogEntry.objects.filter(user_id=request.user.pk, object_id=str(them.pk), action_time__gt=lately)
    if not of_late.filter(change_message=what).exists():
        LogEntry.objects.log_actions(request.user.pk, [them], CHANGE, change_message=what, single_object=True)
