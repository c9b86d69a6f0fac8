"""How often one user's WebSockets are obeyed: so many messages at once, then so many a second. Pure.

A message may cost as much as a request, one connection may send many, and one user has many connections.
"""

MESSAGES_AT_ONCE = 300  # of a user in one process; some clients subscribe to each symbol by a message of its own
MESSAGES_A_SECOND = 20.0


class Pace:
    """When each user may be obeyed next."""

    def __init__(self, at_once: int, a_second: float) -> None:
        self._at_once, self._a_second = at_once, a_second
        self._rested_at: dict[int, float] = {}  # when all messages that were sent have been paid for

    def seconds_to_wait(self, user_id: int, now: float) -> float:
        """Until the user's next message may be obeyed; it is counted."""
        if len(self._rested_at) > self._at_once:
            self._rested_at = {user: at for user, at in self._rested_at.items() if at > now}
        rested_at = max(self._rested_at.get(user_id, now), now) + 1 / self._a_second
        self._rested_at[user_id] = rested_at
        return max(0.0, rested_at - now - self._at_once / self._a_second)


pace = Pace(MESSAGES_AT_ONCE, MESSAGES_A_SECOND)
