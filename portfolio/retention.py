"""What becomes of old snapshots: months are thinned to what history needs, and put away as a whole.

Events, fills and ledger are evidence and are never cut.
"""

from dataclasses import dataclass

from portfolio.models import SnapshotMonth

# In SQL over rows `s`: what thinning leaves of an hour of a book is its last snapshot, its first highest equity and its first
# deepest drawdown. So charts by the hour and by the day, the peak and the deepest drawdown stay what they were.
_OF_HOUR = "PARTITION BY s.book_id, date_trunc('hour', s.at) ORDER BY"
THINNED = f"""(row_number() OVER ({_OF_HOUR} s.at DESC, s.id DESC) = 1
     OR row_number() OVER ({_OF_HOUR} s.equity DESC, s.at, s.id) = 1
     OR row_number() OVER ({_OF_HOUR} s.drawdown DESC, s.at, s.id) = 1)"""


@dataclass(frozen=True, slots=True)
class PutAway:
    """The months, as `2026-10`, whose snapshots are not all there any more."""

    thinned: frozenset[str]
    detached: frozenset[str]


def put_away_months() -> PutAway:
    """What retention has done so far."""
    months: dict[str, set[str]] = {state: set() for state in SnapshotMonth.State.values}
    for month, state in SnapshotMonth.objects.values_list("month", "state"):
        months[state].add(f"{month:%Y-%m}")
    return PutAway(*(frozenset(months[state]) for state in (SnapshotMonth.State.THINNED, SnapshotMonth.State.DETACHED)))
