"""The markets: each is a feed, a clock, a calendar and what is listed, so that they cannot disagree."""
