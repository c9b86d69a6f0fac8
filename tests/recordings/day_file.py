"""A recorded day read in a few lines, with nothing of the project's own: what the file shows at an instant.

Second pair of eyes on fills: rules are written out again here from trading-rules.md section 5, for a default policy.
"""

import csv
import gzip
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True)
class Row:
    ts: datetime
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal


class DayFile:
    def __init__(self, path: Path) -> None:
        self.rows: dict[str, list[Row]] = {}
        with gzip.open(path, "rt") as file:
            for line in csv.DictReader(file):
                bid, ask = (Decimal(line[side]) if line[side] else None for side in ("bid", "ask"))
                when = datetime.fromisoformat(line["ts"].replace("Z", "+00:00"))
                row = Row(when, line["symbol"], bid, ask, Decimal(line["bid_size"]), Decimal(line["ask_size"]))
                self.rows.setdefault(row.symbol, []).append(row)
        self._times = {symbol: [row.ts for row in rows] for symbol, rows in self.rows.items()}

    def at(self, symbol: str, instant: datetime) -> Row | None:
        """The last row of the symbol stamped at or before the instant."""
        place = bisect_right(self._times.get(symbol, []), instant)
        return self.rows[symbol][place - 1] if place else None


def why_not(row: Row | None, instant: datetime, session_open: datetime, *, option: bool = False) -> str | None:
    """The reason that the file gives against a fill at the instant (guards 2 to 5 and 7); None where there is none."""
    if row is None:
        return "quote_missing"
    if row.bid is None or row.ask is None:
        return "quote_invalid"
    if instant - row.ts > timedelta(seconds=60 if option else 15) or row.ts < session_open:
        return "quote_stale"
    if row.bid > row.ask:
        return "quote_crossed"
    if option and row.ask - row.bid > max(Decimal("0.25") * (row.bid + row.ask) / 2, Decimal("0.10")):
        return "option_spread_too_wide"
    return None
