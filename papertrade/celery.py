"""The Celery application: workers share sweeps, beat ticks the trading day."""

import os
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning
from celery.schedules import crontab
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

# At every start as root Celery advises against it: who runs a container as root has decided that already.
warnings.filterwarnings("ignore", category=SecurityWarning)
# At every loss of the broker it advises to cancel what runs. Ours goes on: a chunk of a sweep is claimed in the database, so
# its second delivery finds nothing to do.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

TICK_SECONDS = 1.0
AUDIT_SECONDS = 60.0  # asks whether the night's audit is due; the audit itself is once a night

app = Celery("papertrade")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A tick that waited longer than the next one is worth nothing.
    "tick": {"task": "papertrade.tasks.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS}},
    "audit": {"task": "papertrade.tasks.audit", "schedule": AUDIT_SECONDS, "options": {"expires": AUDIT_SECONDS}},
    "months": {"task": "papertrade.tasks.retain", "schedule": crontab(minute="20")},
    "calendar": {"task": "papertrade.tasks.sync_sessions", "schedule": crontab(hour="6", minute="0")},
    "sign-ins": {"task": "papertrade.tasks.clear_sessions", "schedule": crontab(hour="6", minute="10")},
}


@worker_init.connect
def refuse_a_pooler(**_: Any) -> None:
    """A worker holds locks of its session. Ends the process behind a pooler; a database that is away is waited for."""
    from django.db import OperationalError, connection

    from papertrade.lib.pooling import SessionNotOwn
    from papertrade.lib.postgres import require_own_session

    try:
        require_own_session()
    except SessionNotOwn as error:
        raise SystemExit(str(error)) from None
    except OperationalError:
        return
    finally:
        connection.close()
        connection.close_pool()  # the processes that work are forked from this one
