"""What clients of market data subscribe to: each message is taken whole or not at all, and wants are given back exactly."""

import random
from collections import Counter
from itertools import islice, product
from typing import Any

import pytest

from papertrade.stream.quote_look import Wish
from papertrade.stream.subscriptions import (
    ACTIONS,
    EVERYTHING,
    INVALID,
    MAX_SYMBOLS,
    MAX_TEXT,
    OF_OPTIONS,
    OF_STOCKS,
    REFUSED,
    SENT,
    SYMBOL_LIMIT,
    SYNTAX,
    Refused,
    Subscription,
)

MANY = ["".join(letters) for letters in islice(product("ABCDEFGHIJ", repeat=4), MAX_SYMBOLS)]
CHANNELS = [(options, name) for options, names in ((False, OF_STOCKS), (True, OF_OPTIONS)) for name in names]
# What a channel may be asked for that cannot be, and the error.
WRONG: dict[str, tuple[Any, int]] = {
    "a text": ("IBM", SYNTAX),
    "a number": (7, SYNTAX),
    "an object": ({"IBM": 1}, SYNTAX),
    "a number in the list": (["IBM", 7], SYNTAX),
    "nothing in the list": (["IBM", None], SYNTAX),
    "a list in the list": (["IBM", ["KO"]], SYNTAX),
    "a text without end": (["I" * (MAX_TEXT + 1)], SYNTAX),
    "one too many": ([*MANY, "IBM"], SYMBOL_LIMIT),
}


class Untouched(list[str]):
    """Its length may be asked for, and nothing else."""

    def __iter__(self) -> Any:
        raise AssertionError("it was read")


def standing(*, options: bool) -> Subscription:
    """On every channel that can have it, one text."""
    asked = {name: ["KO"] for name in (OF_OPTIONS if options else OF_STOCKS) if name not in REFUSED}
    return Subscription.none(options=options).after({"action": "subscribe", **asked})


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("options", "channel"), CHANNELS)
def test_one_wrong_channel_and_none_is_changed(options: bool, channel: str, wrong: str, action: str) -> None:
    before = standing(options=options)
    texts = before.texts
    asked, code = WRONG[wrong]
    others = {name: ["IBM", "KO"] for _, name in CHANNELS if name not in REFUSED}
    with pytest.raises(Refused) as refused:
        before.after({"action": action, **others, channel: asked})
    assert refused.value.code == (INVALID if channel in REFUSED else code)
    assert before.texts == texts


@pytest.mark.parametrize(("options", "channel"), [row for row in CHANNELS if row[1] not in REFUSED])
def test_a_message_has_its_bound_before_it_is_read_and_a_channel_over_many(options: bool, channel: str) -> None:
    before = standing(options=options)
    for asked in (Untouched(MANY * 150), MANY):  # the second makes one too many with the one that is there
        with pytest.raises(Refused) as refused:
            before.after({"action": "subscribe", channel: asked})
        assert refused.value.code == SYMBOL_LIMIT
    full = Subscription.none(options=options).after({"action": "subscribe", channel: MANY})
    assert len(full.texts[channel]) == MAX_SYMBOLS


def test_the_bound_of_symbols_is_that_of_all_channels() -> None:
    none = Subscription.none(options=False)
    half = [f"{symbol}Z" for symbol in MANY[::2]]
    full = none.after({"action": "subscribe", "quotes": MANY, "trades": MANY, "bars": MANY})
    assert len(full.wanted) == MAX_SYMBOLS
    with pytest.raises(Refused):
        none.after({"action": "subscribe", "quotes": MANY, "trades": half})


def test_what_is_subscribed_stands_once_in_order_and_spelled_alike() -> None:
    now = Subscription.none(options=False)
    for message in (
        {"action": "subscribe", "quotes": ["ko", " IBM "], "statuses": ["*"]},
        {"action": "subscribe", "quotes": ["IBM", "AAPL", "ibm"], "trades": ["no symbol"], "bars": [EVERYTHING]},
        {"action": "unsubscribe", "quotes": ["ko", "MSFT"], "bars": None},
    ):
        now = now.after(message)
    assert {name: texts for name, texts in now.texts.items() if texts} == {
        "quotes": ["IBM", "AAPL"],
        "statuses": ["*"],
        "trades": ["NO SYMBOL"],
        "bars": ["*"],
    }
    assert now.symbols == {"quotes": ("IBM", "AAPL"), "trades": (), "bars": ("*",)} and set(now.symbols) == set(SENT)
    assert now.wanted == {"IBM", "AAPL", "*"}


@pytest.mark.parametrize(("options", "found"), [(False, ("IBM",)), (True, ("O:IBM131019C00100000",))])
def test_a_stream_has_symbols_of_its_kind(options: bool, found: tuple[str, ...]) -> None:
    asked = ["IBM", "IBM131019C00100000", "O:IBM131019C00100000"]
    now = Subscription.none(options=options).after({"action": "subscribe", "quotes": asked})
    assert now.texts["quotes"] == asked and now.symbols["quotes"] == found


@pytest.mark.parametrize("action", [None, "", "listen", ["subscribe"], {}, 7])
def test_other_actions_are_none(action: object) -> None:
    with pytest.raises(Refused) as refused:
        standing(options=False).after({"action": action})
    assert refused.value.code == SYNTAX


def test_nobody_gives_back_what_another_wants() -> None:
    dice, wanted = random.Random(12), Counter[str]()
    wishes = [(Wish(wanted), set[str]()) for _ in range(5)]
    for _ in range(500):
        number = dice.randrange(len(wishes))
        wish, _ = wishes[number]
        own = {symbol for symbol in "ABCDEF" if dice.random() < 0.4}
        wish.become(frozenset(own))
        wishes[number] = wish, own
        assert wanted == Counter(symbol for _, own in wishes for symbol in own)
    for wish, _ in wishes:
        wish.become(frozenset())
    assert not wanted
