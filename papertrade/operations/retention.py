"""What beat and `papertrade retain` do about growth: months of snapshots made ahead, and old ones thinned."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings

from marketdata import clock
from portfolio import retention

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retained:
    """How many months were made, and how many rows thinning took away."""

    months: int
    rows: int


def retain() -> Retained:
    """Make months ahead of the market's clock, and thin those that are older than PAPERTRADE_KEEP_MINUTES_DAYS.

    Ages are in exchange time, as the snapshots' times are. Doing it again changes nothing.
    """
    now = clock.read().now
    done = Retained(retention.make_months(at=now), 0)
    days = settings.PAPERTRADE_KEEP_MINUTES_DAYS
    if days is not None:
        done = Retained(done.months, retention.thin(before=now - timedelta(days=days)))
    if done.months or done.rows:
        log.info("snapshots_retained", months=done.months, rows_thinned=done.rows)
    return done
