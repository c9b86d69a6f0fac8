"""Real threads with database connections of their own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

JOIN_SECONDS = 180


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """What each job returned, or the exception it raised; all of them start at once."""
    start = threading.Barrier(len(jobs))
    outcomes: list[Any] = [None] * len(jobs)

    def run(place: int, job: Callable[[], Any]) -> None:
        try:
            start.wait()
            outcomes[place] = job()
        except Exception as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
        assert not thread.is_alive(), "a thread hangs: a deadlock"
    return outcomes
