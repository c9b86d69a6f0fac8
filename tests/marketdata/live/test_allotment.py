"""Which symbols are streamed, polled, left out: by rank, within limits, and without flapping."""

from hypothesis import given
from hypothesis import strategies as st

from marketdata.feeds.live.allotment import STAYS_SECONDS, Allotment
from marketdata.feeds.live.protocol import Coverage, Rank, Want

NAMES = [f"{letter}{other}" for letter in "ABCD" for other in "XYZ"]


def wants(*names: str, rank: Rank = Rank.WATCHED) -> list[Want]:
    return [Want(name, rank) for name in names]


def test_the_better_rank_is_streamed_and_what_is_left_out_is_named() -> None:
    allotment = Allotment(stream_limit=2, poll_limit=1)
    asked = [*wants("ORD", rank=Rank.ORDER), *wants("POS", rank=Rank.POSITION), *wants("W1", "W2", "W3")]
    assert allotment.choose(asked, now=0) == Coverage(("ORD", "POS"), ("W1",), ("W2", "W3"))


def test_without_limits_everything_is_streamed() -> None:
    assert Allotment(stream_limit=None, poll_limit=0).choose(wants("A", "B"), now=0) == Coverage(("A", "B"), (), ())


def test_a_line_that_cannot_stream_polls() -> None:
    assert Allotment(stream_limit=0, poll_limit=None).choose(wants("A", "B"), now=0) == Coverage((), ("A", "B"), ())


def test_within_a_rank_a_symbol_stays_a_while_where_it_is() -> None:
    allotment = Allotment(stream_limit=1, poll_limit=None)
    assert allotment.choose(wants("A", "B"), now=0).streamed == ("A",)
    assert allotment.choose(wants("B", "A"), now=1).streamed == ("A",)
    assert allotment.choose(wants("B", "A"), now=STAYS_SECONDS).streamed == ("B",)
    assert allotment.choose(wants("A", "B"), now=STAYS_SECONDS + 1).streamed == ("B",)


def test_an_order_is_streamed_at_once_whoever_has_just_got_the_place() -> None:
    allotment = Allotment(stream_limit=1, poll_limit=None)
    allotment.choose(wants("A"), now=0)
    assert allotment.choose([*wants("ORD", rank=Rank.ORDER), *wants("A")], now=1).streamed == ("ORD",)


def test_a_symbol_wanted_twice_has_one_place() -> None:
    asked = [*wants("A", rank=Rank.ORDER), *wants("A", "B")]
    assert Allotment(stream_limit=1, poll_limit=5).choose(asked, now=0) == Coverage(("A",), ("B",), ())


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(Rank)), max_size=12), max_size=6),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_everyone_has_one_place_and_no_worse_rank_a_better_one(
    steps: list[list[tuple[str, Rank]]], stream_limit: int, poll_limit: int
) -> None:
    allotment = Allotment(stream_limit=stream_limit, poll_limit=poll_limit)
    for number, step in enumerate(steps):
        asked = sorted((Want(*want) for want in step), key=lambda want: want.rank)
        best = {want.symbol: want.rank for want in reversed(asked)}
        got = allotment.choose(asked, now=3.0 * number)
        places = [*got.streamed, *got.polled, *got.left_out]
        assert sorted(places) == sorted(best)
        assert len(got.streamed) <= stream_limit and len(got.polled) <= poll_limit
        assert [best[symbol] for symbol in places] == sorted(best.values())
