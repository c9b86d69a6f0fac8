"""Every fault that a live market must bear, and the test that shows that it does: a row without one fails here.

Most are on a real socket. What a provider says out of order, twice, early or late, and orders that meet quotes, is shown behind
it, between the intake and the books.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PROVIDERS, MARKET = "live/test_faults_of_providers.py", "live/test_faults_of_the_market.py"
LIVE, REPLAY = "trading/test_live_market.py", "live/test_whole_server.py"

TABLE: dict[str, list[tuple[str, str]]] = {
    "cut in mid frame, in mid array": [(PROVIDERS, "test_cut_in_mid_frame"), (PROVIDERS, "test_cut_in_mid_array")],
    "half-open TCP": [(PROVIDERS, "test_half_open_is_noticed_within_ten_seconds")],
    "mute with pongs in a session, at night": [(PROVIDERS, "test_mute_with_pongs")],
    "wrong key, plan without the feed": [
        (PROVIDERS, "test_a_wrong_key_is_refused_and_tried_once_a_minute"),
        (PROVIDERS, "test_a_plan_without_the_feed"),
    ],
    "seat taken": [(PROVIDERS, "test_the_seat_is_taken"), (PROVIDERS, "test_one_connection_for_both_markets")],
    "limit 30 with 45 symbols": [(PROVIDERS, "test_limit_of_thirty_with_forty_five_symbols")],
    "we are slow": [
        (MARKET, "test_a_step_that_takes_long_costs_no_memory_and_no_connection"),
        (PROVIDERS, "test_twenty_thousand_quotes_are_read_as_they_come"),
    ],
    "out of order, duplicate, repeat": [(LIVE, "test_that_is_none_is_refused_and_counted")],
    "a supply is not renewed by another leader": [(LIVE, "test_is_not_renewed_by_another_leader")],
    "stamped early or late, a slow clock": [
        (LIVE, "test_is_judged_by_the_exchange_s_time"),
        (LIVE, "test_of_an_hour_ahead_does_not_silence_its_symbol"),
        ("live/test_status.py", "test_operators_are_warned"),
    ],
    "crossed, zero, one-sided, NaN, 1e308, negative, 7 decimals, unknown": [
        ("live/test_dialects.py", "test_odd_quotes"),
        ("live/test_dialects.py", "test_what_is_no_number_in_messagepack"),
        (PROVIDERS, "test_odd_frames_are_counted_and_the_stream_lives"),
    ],
    "quote and order at the same moment": [
        (MARKET, "test_a_quote_and_an_order_at_the_same_moment"),
        (MARKET, "test_quotes_and_orders_that_race"),
    ],
    "the leader is killed": [
        (LIVE, "test_between_recording_and_doing_leaves_it_to_the_next"),
        (REPLAY, "test_from_an_order_to_its_fill_and_over_the_death_of_the_leader"),
    ],
    "database away, Valkey away": [
        (REPLAY, "test_from_an_order_to_its_fill_and_over_the_death_of_the_leader"),
        (LIVE, "test_fills_go_on_and_orders_are_refused"),
    ],
    "provider away over open, close, expiry": [
        (LIVE, "test_missed_opens_and_closes_are_done_and_missed_minutes_are_not"),
        (PROVIDERS, "test_the_provider_is_away"),
    ],
    "a web host's clock is wrong": [(MARKET, "test_a_web_host_whose_clock_is_wrong_never_turns_a_book_s_time_back")],
    "429, 500, HTML, truncated JSON by REST": [(PROVIDERS, "test_rest_fails_and_the_stream_does_not")],
}


@pytest.mark.parametrize("fault", TABLE)
def test_has_its_test(fault: str) -> None:
    for file, name in TABLE[fault]:
        tree = ast.parse((TESTS / file).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in names, f"{file} has no {name}"
