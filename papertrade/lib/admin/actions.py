"""Actions that change something: through a service, with a reason asked for on a page of its own and kept for good."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from papertrade.lib.database.base import CommitLost
from papertrade.lib.errors import PapertradeError

REASON_MAX_LENGTH = 200


class CheckedRows(ModelAdmin):
    """Actions on rows whose keys are ones: what a browser never sends is a line on the page, and no failure."""

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        key = self.opts.pk
        try:
            for given in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.clean(given, None)
        except ValidationError:
            self.message_user(request, "There is no such row. Nothing was done.", messages.WARNING)
            return None
        return super().response_action(request, queryset)


class ReasonForm(forms.Form):
    """Why an operator does this."""

    reason = forms.CharField(
        max_length=REASON_MAX_LENGTH,
        help_text="Kept in the operators' log with your name; an account's owner reads it in the account's events.",
        widget=forms.TextInput(attrs={"size": 80, "autofocus": True}),
    )

    def clean_reason(self) -> str:
        reason = self.cleaned_data["reason"]
        if not reason.isprintable():
            raise forms.ValidationError("Write the reason on one line.")
        return reason


def with_reason(
    admin: ModelAdmin, request: HttpRequest, rows: QuerySet, *, title: str, done: str, do: Callable[[Any, str], object]
) -> HttpResponse | None:
    """Ask for a reason, then run `do(row, reason)` for each row; None (back to the list) once that is done.

    Each row's work and its line in the operators' log are one transaction. What a service refuses is said, and the rows
    after it still get their turn.
    """
    confirmed = "reason" in request.POST
    form = ReasonForm(request.POST if confirmed else None)
    if not confirmed or not form.is_valid():
        context = {
            **admin.admin_site.each_context(request),
            "title": title,
            "opts": admin.opts,
            "rows": rows,
            "form": form,
            "action": request.POST["action"],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/reason.html", context)
    reason, count = form.cleaned_data["reason"], 0
    for row in rows:
        try:
            with transaction.atomic():
                do(row, reason)
                admin.log_change(request, row, f"{done}: {reason}")
        except PapertradeError as refusal:
            admin.message_user(request, f"{row}: {refusal}", messages.WARNING)
        except CommitLost:
            admin.message_user(request, f"{row}: the database went away; look whether it was done.", messages.WARNING)
        except OperationalError:  # a lock that was waited for in vain
            admin.message_user(request, f"{row}: the account is busy. Nothing was done; try again.", messages.WARNING)
        else:
            count += 1
    if count:
        admin.message_user(request, f"{done.capitalize()}: {count}.", messages.SUCCESS)
    return None
