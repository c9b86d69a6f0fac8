"""How honest a quote is, by the word that evidence keeps of where it came from. Pure.

The word (`alpaca:iex`) is part of the quote and of its evidence; the grade follows from it, so nothing is stored twice.
"""

from enum import StrEnum


class Grade(StrEnum):
    """How honest a feed's quotes are. Shown wherever its prices are; the words are wire values."""

    NBBO = "nbbo"  # the national best bid and offer, in real time
    SINGLE_VENUE = "single_venue"  # one exchange's own best, often wider than the market's
    INDICATIVE = "indicative"  # changed by the provider: nobody quoted exactly this
    DELAYED = "delayed"  # true some minutes ago
    PUSHED = "pushed"  # whatever the pusher says
    TEST = "test"  # invented by the provider to try the wiring
    SIMULATED = "simulated"  # invented here
    RECORDED = "recorded"  # of the past, from files


GRADES = {
    "alpaca:iex": Grade.SINGLE_VENUE,
    "alpaca:sip": Grade.NBBO,
    "alpaca:delayed_sip": Grade.DELAYED,
    "alpaca:test": Grade.TEST,
    "alpaca:indicative": Grade.INDICATIVE,
    "alpaca:opra": Grade.NBBO,
    "massive:stocks": Grade.NBBO,
    "massive:options": Grade.NBBO,
    "massive:stocks-delayed": Grade.DELAYED,
    "massive:options-delayed": Grade.DELAYED,
    "cutemarkets:stocks": Grade.NBBO,
    "cutemarkets:options": Grade.NBBO,
    "tradier:sandbox": Grade.DELAYED,
    "tradier:production": Grade.NBBO,
}
OF_A_KIND = {"simulated": Grade.SIMULATED, "push": Grade.PUSHED}


def grade_of(feed: str) -> Grade:
    """The grade of a quote whose feed says so. What no provider of ours says came out of somebody's files."""
    return GRADES.get(feed) or OF_A_KIND.get(feed.partition(":")[0], Grade.RECORDED)
