"""The minutes that a data stream sends: whole ones, of what was seen while they went on."""

from datetime import datetime

import pytest

from marketdata.feeds.past import PastTrade
from papertrade.stream.quote_look import QuoteLook, Seen
from tests.market_kit import at

FIRST = "14:00:00"


@pytest.mark.parametrize(
    ("looks", "finished"),  # (when a look is, when the last trade was, its price); (minute, open, close, trades)
    [
        ([(FIRST, FIRST, 10.0), ("14:00:59", "14:00:58", 12.0), ("14:01:00", "14:00:58", 12.0)], (FIRST, 10.0, 12.0, 2)),
        # Begun in the middle of a minute: the next one is the first that is whole.
        ([("14:00:40", "14:00:39", 10.0), ("14:01:05", "14:01:01", 11.0)], None),
        ([("14:00:40", "14:00:39", 10.0), ("14:01:05", "14:01:01", 11.0), ("14:02:00", "14:01:01", 11.0)], ("14:01:00", 11.0, 11.0, 1)),
        # The last trade is of yesterday, or of minutes ago.
        ([(FIRST, "2013-10-04T19:59:00Z", 10.0), ("14:02:00", "2013-10-04T19:59:00Z", 10.0)], None),
        ([(FIRST, FIRST, 10.0), ("14:05:00", FIRST, 10.0), ("14:05:10", "14:03:00", 9.0)], (FIRST, 10.0, 10.0, 1)),
        # Over the night the clock goes from the close to the next open.
        ([("19:59:00", "19:59:00", 10.0), ("2013-10-08T13:29:50Z", "19:59:00", 10.0)], ("19:59:00", 10.0, 10.0, 1)),
    ],
)  # fmt: skip
def test_are_whole_or_none(looks: list[tuple[str, str, float]], finished: tuple[str, float, float, int] | None) -> None:
    look = QuoteLook()
    for now, traded, price in looks:
        look._take(Seen(at(now), ["IBM"], {}, {"IBM": PastTrade(at(traded), price)}))
    bar = look.finished.get("IBM")
    found: tuple[datetime, float, float, int] | None = bar and (bar.begins, bar.open, bar.close, bar.trades)
    assert found == (finished and (at(finished[0]), *finished[1:]))
