"""Symbols: which are understood, and what they mean."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.instruments import AssetClass, InvalidSymbol, OptionRight, option_symbol, parse_symbol


@pytest.mark.parametrize("ticker", ["A", "IBM", "GOOGL", "BRK.B", "BF.B"])
def test_a_ticker(ticker: str) -> None:
    stock = parse_symbol(ticker)
    assert (stock.symbol, stock.asset_class, stock.multiplier, stock.underlying) == (
        ticker,
        AssetClass.US_EQUITY,
        1,
        ticker,
    )
    assert not stock.is_option


def test_an_option() -> None:
    option = parse_symbol("O:SPY260620C00500000")
    assert (option.root, option.underlying, option.multiplier) == ("SPY", "SPY", 100)
    assert (option.expiry, option.strike, option.right) == (date(2026, 6, 20), Decimal("500"), OptionRight.CALL)
    assert option.is_option and not option.adjusted


@pytest.mark.parametrize(
    ("symbol", "underlying"), [("O:SPXW260620P05000500", "SPX"), ("O:BRKB260619C00470000", "BRK.B")]
)
def test_a_root_that_is_not_its_stocks_ticker(symbol: str, underlying: str) -> None:
    assert parse_symbol(symbol).underlying == underlying


def test_an_adjusted_root_ends_in_a_digit() -> None:
    assert parse_symbol("O:AAPL1260619C00200000").adjusted


@pytest.mark.parametrize(
    "text",
    ["", "ibm", "TOOLONG", "IBM ", "ＩＢＭ", "O:", "O:SPY260620X00500000", "O:SPY260230C00500000", "O:SPY260620C00000000",
     "O:SPY260620C0050000", "SPY260620C00500000", "O:SPY260620C00500000\n", "IBM\x00", "O:SPY26062٠C00500000"],
)  # fmt: skip
def test_what_is_no_symbol(text: str) -> None:
    with pytest.raises(InvalidSymbol):
        parse_symbol(text)


@given(
    root=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=5),
    expiry=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    right=st.sampled_from(OptionRight),
    strike=st.integers(1, 99_999_999),
)
def test_a_symbol_that_was_made_reads_back(root: str, expiry: date, right: OptionRight, strike: int) -> None:
    option = parse_symbol(option_symbol(root, expiry, right, Decimal(strike) / 1000))
    assert (option.root, option.expiry, option.right, option.strike) == (root, expiry, right, Decimal(strike) / 1000)
