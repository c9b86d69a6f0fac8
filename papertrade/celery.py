"""The Celery application: workers share sweeps, beat ticks the trading day."""

import os
import warnings
from typing import Any

import structlog
from celery import Celery, Task, beat
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning
from celery.schedules import crontab
from celery.signals import beat_init, before_task_publish, worker_init, worker_process_init, worker_ready
from kombu import Queue

from papertrade.lib.tracing import Trace, request_id, tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

# Celery warns at every start as root: whoever runs a container as root has decided that already.
warnings.filterwarnings("ignore", category=SecurityWarning)
# At every loss of the broker it advises to cancel running tasks. Ours go on: a chunk of a sweep is claimed in the database,
# so that its second delivery finds nothing to do.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)

TICK_SECONDS = 1.0
AUDIT_SECONDS = 60.0  # between two checks whether the night's audit is due, and whether one waits for workers
PAST_SECONDS = 60.0
AUDITS = "audits"  # a queue of its own beside Celery's default: a worker takes from both by turns

CAUSE = "papertrade_cause"  # the header of a message that names the request that caused it


class CausedTask(Task):
    """A task that works under the trace of its cause, so that its log lines carry that id too."""

    abstract = True

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        cause = getattr(self.request, CAUSE, None) or ""
        with tracing(Trace(cause)), structlog.contextvars.bound_contextvars(task=self.name):
            return super().__call__(*arguments, **options)


@before_task_publish.connect
def tell_cause(headers: dict[str, Any], **_: Any) -> None:
    """Put the id of the request that sends a task into the task's headers."""
    if cause := request_id():
        headers[CAUSE] = cause


app = Celery("papertrade", task_cls=CausedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.task_queues = [Queue("celery"), Queue(AUDITS)]
app.conf.task_routes = {"papertrade.tasks.work_on_audit": {"queue": AUDITS}}
app.conf.beat_schedule = {
    # A tick that waited longer than the next one is worth nothing.
    "tick": {"task": "papertrade.tasks.tick", "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS}},
    "audit": {"task": "papertrade.tasks.audit", "schedule": AUDIT_SECONDS, "options": {"expires": AUDIT_SECONDS}},
    "past": {"task": "papertrade.tasks.tend_past", "schedule": PAST_SECONDS, "options": {"expires": PAST_SECONDS}},
    "months": {"task": "papertrade.tasks.retain", "schedule": crontab(minute="20")},
    "storage": {"task": "papertrade.tasks.sample_storage", "schedule": crontab(minute="5")},
    "calendar": {"task": "papertrade.tasks.sync_sessions", "schedule": crontab(hour="6", minute="0")},
    "sign-ins": {"task": "papertrade.tasks.clear_sessions", "schedule": crontab(hour="6", minute="10")},
}


@worker_init.connect
def refuse_a_pooler(**_: Any) -> None:
    """End the worker behind a pooler, as it holds locks of its session; a database that is away is waited for."""
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


@worker_ready.connect
@beat_init.connect
def be_seen(sender: object, **_: Any) -> None:
    """Show operators the worker, or beat; the processes that a worker forks count as one with it."""
    from papertrade.operations.exporter import attend

    attend("beat" if isinstance(sender, beat.Service) else "worker")


@worker_process_init.connect
def hand_over(**_: Any) -> None:
    """Hand over what a worker's forked process counts."""
    from papertrade.operations.presence import Beacon

    Beacon("worker", shows=False).start()
