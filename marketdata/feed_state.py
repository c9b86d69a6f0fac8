"""How the feed of a live market is: its provider, grades, states, lag, and which symbols it serves how.

The leader publishes it once a second; health, status, clock, metrics and pages show it.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import redis

from marketdata import clock
from marketdata.feeds.live.intake import LineState
from marketdata.feeds.live.protocol import State
from papertrade.lib.valkey import client

KEY = "papertrade:feed"
SILENT_AFTER = timedelta(seconds=15)
NAMED_LEFT_OUT = 10


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
        return not self.is_old and any(line.state in {State.STREAMING, State.POLLING} for line in self.lines)

    def grade_of(self, feed: str) -> str | None:
        """The grade of a feed by the word that its quotes carry, or None where no line has it."""
        return next((line.grade for line in self.lines if feed == line.feed or feed.startswith(f"{line.feed}:")), None)


def line_report(state: LineState) -> LineReport:
    """A line as it is published."""
    line, coverage = state.line, state.coverage
    return LineReport(
        name=line.name, feed=line.feed, grade=str(line.grade), state=str(line.state), reason=line.reason,
        symbol_limit=line.symbol_limit, streamed=len(coverage.streamed), polled=len(coverage.polled),
        left_out=list(coverage.left_out[:NAMED_LEFT_OUT]), left_out_count=len(coverage.left_out),
    )  # fmt: skip


def publish(state: FeedState) -> None:
    """Let everybody see it. Raises redis.RedisError."""
    lines = [{name: getattr(line, name) for name in LineReport.__slots__} for line in state.lines]
    body = {name: getattr(state, name) for name in FeedState.__slots__ if name != "lines"}
    client().set(KEY, json.dumps({**body, "lines": lines}))


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
