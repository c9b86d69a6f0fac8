"""A made-up recording of many sessions whose every price can be told without looking at it.

Two stocks, a quote each every five minutes on weekdays, with more shares displayed than the trial ever buys.
"""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

START = datetime(2013, 9, 9, 12, 0, tzinfo=UTC)  # a Monday, 8:00 in New York
WEEKS = 40
EVERY = timedelta(minutes=5)
FIRST, LAST = 13 * 60 + 30, 21 * 60  # minutes of the day, UTC: regular hours with and without daylight saving time
SPREAD = Decimal("0.05")
SYMBOLS = {"IBM": Decimal(100), "BAC": Decimal(20)}


def bid(symbol: str, stamped: datetime) -> Decimal:
    """USD per share: it falls by seven cents a quote, and leaps up again."""
    slot = (stamped - START) // EVERY
    return SYMBOLS[symbol] + Decimal(-slot * 7 % 40) / 100


def ask(symbol: str, stamped: datetime) -> Decimal:
    """USD per share."""
    return bid(symbol, stamped) + SPREAD


def write_recording(folder: Path) -> Path:
    """The recording as a folder."""
    folder.mkdir()
    with open(folder / "quotes.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"])
        midnight = START.replace(hour=0)
        for day in (midnight + timedelta(days=number) for number in range(7 * WEEKS)):
            if day.weekday() >= 5:
                continue
            for stamped in (day + timedelta(minutes=minute) for minute in range(FIRST, LAST + 1, 5)):
                for symbol in SYMBOLS:
                    prices = bid(symbol, stamped), ask(symbol, stamped)
                    rows.writerow([f"{stamped:%Y-%m-%dT%H:%M:%SZ}", symbol, *prices, 900_000, 900_000, "torture"])
    return folder
