"""The fill policy: its bounds, its readers, and that a stored one is read back as it was."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.policy import MAX_QUOTE_AGE_SECONDS, InvalidPolicy, Policy, policy_from_json

AGE, RATIO, FLOOR, SWITCH = "stock_quote_max_age_seconds", "option_max_spread_ratio", "option_spread_floor", "size_cap"

GOOD = [
    (AGE, 1, 1),
    (AGE, "86400", MAX_QUOTE_AGE_SECONDS),
    ("option_quote_max_age_seconds", Decimal("60.0"), 60),
    (RATIO, "0", Decimal(0)),
    (RATIO, "2", Decimal(2)),
    (RATIO, "0.000001", Decimal("0.000001")),
    (FLOOR, "1000", Decimal(1000)),
    (FLOOR, "1e3", Decimal(1000)),
    (SWITCH, False, False),
]
BAD = [
    (AGE, 0), (AGE, 86_401), (AGE, "1.5"), (AGE, True), (AGE, None), (AGE, "many"), (AGE, "1_0"), (AGE, "NaN"), (AGE, []),
    ("option_quote_max_age_seconds", -1),
    (RATIO, "-0.1"), (RATIO, "2.000001"), (RATIO, "0.0000001"), (RATIO, "Infinity"), (RATIO, 0.25),
    (FLOOR, "1000.01"), (FLOOR, "-1"), (FLOOR, "1" * 33),
    (SWITCH, "false"), (SWITCH, 0), (SWITCH, None),
]  # fmt: skip


@pytest.mark.parametrize(("field", "sent", "read"), GOOD)
def test_a_value_within_the_bounds_is_read(field: str, sent: Any, read: Any) -> None:
    assert getattr(Policy().merged({field: sent}), field) == read


@pytest.mark.parametrize(("field", "sent"), BAD)
def test_another_value_is_refused_by_its_field(field: str, sent: Any) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Policy().merged({field: sent})
    assert list(refused.value.details) == [field]
    assert refused.value.details[field].startswith("must be ")


def test_every_field_has_good_and_bad_values_above() -> None:
    names = {field.name for field in fields(Policy)}
    assert {name for name, *_ in GOOD} == names == {name for name, _ in BAD}


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        Policy().merged({AGE: 0, SWITCH: 1, "max_spread": "1"})
    assert refused.value.details.keys() == {AGE, SWITCH, "max_spread"}


@given(
    st.builds(
        Policy,
        st.integers(1, MAX_QUOTE_AGE_SECONDS),
        st.integers(1, MAX_QUOTE_AGE_SECONDS),
        st.decimals(0, 2, places=6),
        st.decimals(0, 1000, places=6),
        st.booleans(),
    )
)
def test_a_stored_policy_is_read_back_as_it_was(policy: Policy) -> None:
    assert policy_from_json(policy.as_json()) == policy


def test_a_frozen_policy_is_not_judged_by_todays_bounds() -> None:
    assert policy_from_json({AGE: 100_000, RATIO: "3"}) == Policy(100_000, option_max_spread_ratio=Decimal(3))


def test_a_number_is_stored_without_an_exponent() -> None:
    stored = Policy().merged({FLOOR: "1e3", RATIO: "-0"}).as_json()
    assert (stored[FLOOR], stored[RATIO]) == ("1000", "0")


def test_the_widest_spread_is_the_floor_for_cheap_options_and_the_ratio_for_dear_ones() -> None:
    policy = Policy(option_max_spread_ratio=Decimal("0.25"), option_spread_floor=Decimal("0.10"))
    assert policy.max_spread(Decimal("0.20")) == Decimal("0.10")
    assert policy.max_spread(Decimal("4.00")) == Decimal("1.00")
