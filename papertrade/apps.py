"""The project as an app: its commands, its tasks, and the Celery application that every process shares."""

from django.apps import AppConfig


class PapertradeConfig(AppConfig):
    name = "papertrade"

    def ready(self) -> None:
        # Without it tasks sent from web or feed would go to Celery's default broker instead of ours.
        from papertrade.celery import app

        app.set_default()
