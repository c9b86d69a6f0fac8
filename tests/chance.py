"""A pytest plugin: properties are tried on the same examples in every run, and however long one takes.

A gate that drew anew would fail one day on the work of somebody who has nothing to do with it, and a deadline of milliseconds
fails on a busy machine. Who looks for new counter-examples draws anew: `.venv/bin/pytest --hypothesis-profile=anew tests/...`.
"""

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow]  # a busy machine is no defect of a strategy

settings.register_profile("same", derandomize=True, database=None, deadline=None, suppress_health_check=SLOW)
settings.register_profile("anew", derandomize=False, deadline=None, suppress_health_check=SLOW, max_examples=1_000)
settings.load_profile("same")
