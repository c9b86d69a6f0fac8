"""Compare portfolio/performance.py with empyrical-reloaded and quantstats, to 1e-9, on the equity series of CSV files.

Both libraries bring hundreds of megabytes, so they are in neither of the project's environments. From the project's folder:

    python3 -m venv /tmp/check && /tmp/check/bin/pip install empyrical-reloaded quantstats
    /tmp/check/bin/python -m tests.portfolio.check_against_libraries equity-1.csv equity-2.csv ...

A file is what `.../portfolio/history/` gives at `timeframe=1D` as CSV, or any other with the equity in a column named
`equity` or `close`; each row is taken for a session.
"""

import csv
import gzip
import sys
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from portfolio import performance

TOLERANCE = 1e-9
COLUMNS = ("equity", "close")


def equities(path: Path) -> list[Decimal]:
    """The series of a file, plain or gzip."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in COLUMNS if name in rows[0])
    return [Decimal(row[column]) for row in rows]


def compare(path: Path) -> int:
    """Print each figure beside theirs; how many differ."""
    import empyrical
    import numpy as np
    import pandas as pd
    import quantstats.stats as quantstats

    series = equities(path)
    returns = [float(after) / float(before) - 1 for before, after in zip(series, series[1:], strict=False)]
    array = np.array(returns)
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    deepest = max(
        (
            float(fall.depth)
            for fall in performance.drawdowns([(begin + timedelta(days=n), v) for n, v in enumerate(series)])
        ),
        default=0.0,
    )
    frame = pd.Series(array, index=pd.date_range("2020-01-01", periods=len(array)))
    annual = performance.annual_return(returns)
    theirs: dict[str, tuple[float | None, list[Any]]] = {
        "total return": (performance.total_return(returns), [empyrical.cum_returns_final(array), quantstats.comp(frame)]),
        "annual return": (annual, [empyrical.annual_return(array)]),
        "volatility": (performance.volatility(returns), [empyrical.annual_volatility(array), quantstats.volatility(frame, periods=252)]),
        "sharpe": (performance.sharpe(returns), [empyrical.sharpe_ratio(array), quantstats.sharpe(frame, periods=252)]),
        "sortino": (performance.sortino(returns), [empyrical.sortino_ratio(array), quantstats.sortino(frame, periods=252)]),
        "max drawdown": (deepest, [-empyrical.max_drawdown(array), -quantstats.max_drawdown(frame)]),
        "calmar": (annual / deepest, [empyrical.calmar_ratio(array)]),
        "best": (max(returns), [quantstats.best(frame)]),
        "worst": (min(returns), [quantstats.worst(frame)]),
    }  # fmt: skip
    differing = 0
    print(f"{path.name}: {len(returns)} returns")
    for name, (ours, others) in theirs.items():
        same = all(abs(ours - float(other)) <= TOLERANCE * max(1.0, abs(float(other))) for other in others)
        differing += not same
        print(
            f"  {'same' if same else 'DIFFERS':8}{name:16}{ours:+.12f}  {[f'{float(other):+.12f}' for other in others]}"
        )
    return differing


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(sum(compare(Path(argument)) for argument in sys.argv[1:]) and 1)
