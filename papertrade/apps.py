"""The project as an app: its commands, its tasks, its groups, its admin site, and the Celery application of every process."""

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin on the project's own site."""

    default = False
    default_site = "papertrade.backoffice.site.Site"


class PapertradeConfig(AppConfig):
    default = True
    name = "papertrade"

    def ready(self) -> None:
        # Otherwise tasks sent from web or feed would go to Celery's default broker instead of ours.
        from papertrade.backoffice.groups import make_groups
        from papertrade.celery import app

        app.set_default()
        # `orders` is the last app with tables: when its turn comes, the permissions of all others exist.
        post_migrate.connect(
            make_groups, sender=apps.get_app_config("orders"), dispatch_uid="papertrade.backoffice.groups"
        )
