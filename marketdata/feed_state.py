"""How the feed of a live market is: its provider, grades, states, lag, and which symbols it serves how.

The leader publishes it once a second; health, status, clock, metrics and pages show it.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings

from marketdata import clock
from marketdata.feeds.live.intake import LineState
from marketdata.feeds.live.protocol import State
from papertrade.lib.valkey import client
from papertrade.lib.words import counted

KEY = "papertrade:feed"
SILENT_AFTER = timedelta(seconds=15)
NAMED_LEFT_OUT = 10
CLOCK_BEHIND = timedelta(seconds=-0.5)  # quotes from the future by more than this: this machine's clock is slow
NOT_REAL_TIME = timedelta(seconds=60)  # older than this in the middle: they are not what the feed is said to be


@dataclass(frozen=True, slots=True)
class LineReport:
    """One stream or polled market. `left_out` names the first of the symbols that get no quotes."""

    name: str
    feed: str
    grade: str
    state: str
    reason: str
    symbol_limit: int | None
    streamed: int
    polled: int
    left_out: list[str]
    left_out_count: int

    @property
    def serves(self) -> bool:
        """Whether quotes come in by it."""
        return self.state in {State.STREAMING, State.POLLING}


@dataclass(frozen=True, slots=True)
class FeedState:
    """The feed at a wall time. `lag_seconds`: how much older than the market its quotes are when taken, the median."""

    provider: str
    at: str
    lines: list[LineReport] = field(default_factory=list)
    lag_seconds: float | None = None
    recording: str = ""  # the folder; empty where nothing is recorded
    recording_problem: str = ""

    @property
    def seen_at(self) -> datetime:
        return datetime.fromisoformat(self.at)

    @property
    def is_old(self) -> bool:
        """Whether the leader has not been heard of for a while."""
        return clock.wall_now() - self.seen_at > SILENT_AFTER

    @property
    def serves(self) -> bool:
        """Whether quotes come in by any line."""
        return not self.is_old and any(line.serves for line in self.lines)

    @property
    def state(self) -> str:
        """The state of the worst line; empty before the first has said anything."""
        return next((line.state for line in self.lines if not line.serves), self.lines[0].state if self.lines else "")

    @property
    def problems(self) -> list[str]:
        """What an operator should know and do, one sentence each."""
        found = [
            f"The provider's {line.name} ({line.feed}) are {line.state}: {line.reason or 'it gives no reason.'}"
            for line in self.lines
            if not line.serves
        ]
        found += [
            f"No quotes for {counted(line.left_out_count, 'symbol')}, as {line.feed} does not have them or has no room for "
            f"more: {', '.join(line.left_out)}."
            for line in self.lines
            if line.left_out_count
        ]
        if self.recording_problem:
            found.append(self.recording_problem)
        if self.lag_seconds is not None and (said := judge_lag(timedelta(seconds=self.lag_seconds))):
            found.append(said)
        return found


def judge_lag(lag: timedelta) -> str:
    """What a median lag says about this machine's clock or the plan; empty where all is well. The delay is taken off."""
    seconds = lag.total_seconds()
    if lag < CLOCK_BEHIND:
        return f"This machine's clock is {-seconds:.1f} s behind the exchange's: let it follow a time server (NTP)."
    if lag > NOT_REAL_TIME:
        return f"The quotes are {seconds:.0f} s late: the plan delivers delayed ones, or this machine's clock is ahead."
    return ""


def line_report(state: LineState) -> LineReport:
    """A line as it is published."""
    line, coverage = state.line, state.coverage
    return LineReport(
        name=line.name,
        feed=line.feed,
        grade=str(line.grade),
        state=str(line.state),
        reason=line.reason,
        symbol_limit=line.symbol_limit,
        streamed=len(coverage.streamed),
        polled=len(coverage.polled),
        left_out=list(coverage.left_out[:NAMED_LEFT_OUT]),
        left_out_count=len(coverage.left_out),
    )


def publish(state: FeedState) -> None:
    """Let everybody see it. Raises redis.RedisError."""
    lines = [{name: getattr(line, name) for name in LineReport.__slots__} for line in state.lines]
    body = {name: getattr(state, name) for name in FeedState.__slots__ if name != "lines"}
    client().set(KEY, json.dumps({**body, "lines": lines}))


def in_force() -> FeedState | None:
    """The state of a live market's feed; None in the other markets, and where the leader has told nothing for a while."""
    state = read() if settings.PAPERTRADE_MARKET == clock.LIVE else None
    return None if state is None or state.is_old else state


def read() -> FeedState | None:
    """The state as last published; None where there is none, or where Valkey does not answer."""
    try:
        stored: Any = client().get(KEY)
    except redis.RedisError:
        return None
    if stored is None:
        return None
    body = json.loads(stored)
    return FeedState(**{**body, "lines": [LineReport(**line) for line in body["lines"]]})
