"""The Celery application: workers share sweeps, beat ticks the trading day."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

TICK_SECONDS = 1.0
NIGHTLY_SECONDS = 86_400.0

app = Celery("papertrade")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A tick that waited longer than the next one is worth nothing.
    "tick": {"task": "papertrade.tasks.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS}},
    "audit": {"task": "papertrade.tasks.audit", "schedule": NIGHTLY_SECONDS},
    "sessions": {"task": "papertrade.tasks.sync_sessions", "schedule": NIGHTLY_SECONDS},
}
