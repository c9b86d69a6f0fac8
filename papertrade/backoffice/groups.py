"""The groups of the admin: auditors read everything, operators also act through the services. Made after each migration."""

from typing import Any

from django.contrib.auth.models import Group, Permission

from accounts.services import MOVE_MARKET

AUDITOR, OPERATOR = "auditor", "operator"
READ_APPS = ["accounts", "marketdata", "orders", "portfolio", "admin"]
# What an operator may change. The admin offers no form for any of it, only actions that go through the services.
OPERATES = [
    ("orders", "change_order"),
    ("accounts", "change_apikey"),
    ("accounts", "change_paperaccount"),
    ("portfolio", "change_audit"),
    ("accounts", MOVE_MARKET),
]


def make_groups(sender: Any = None, **options: Any) -> None:
    """Create the groups where they are missing and give them their permissions; others given by hand stay."""
    reads = Permission.objects.filter(content_type__app_label__in=READ_APPS, codename__startswith="view_")
    auditor, _ = Group.objects.get_or_create(name=AUDITOR)
    operator, _ = Group.objects.get_or_create(name=OPERATOR)
    auditor.permissions.add(*reads)
    operator.permissions.add(*reads)
    for app, codename in OPERATES:
        operator.permissions.add(*Permission.objects.filter(content_type__app_label=app, codename=codename))
