"""The tickers that exist in the simulated market: about a hundred well-known ones. Invented figures, of a real order.

`price` is what the stock swings around, USD; `volatility` a fraction a year; `spread_cents` the usual distance of bid and
ask; `lots` the usual displayed size in hundreds of shares.
"""

from typing import NamedTuple


class Ticker(NamedTuple):
    """A stock of the simulated market, with the figures that its quotes are made by."""

    symbol: str
    name: str
    price: float
    volatility: float
    spread_cents: int
    lots: int


TICKERS = {
    ticker.symbol: ticker
    for ticker in (
        Ticker("AAPL", "Apple", 232.0, 0.27, 1, 40),
        Ticker("MSFT", "Microsoft", 428.0, 0.24, 1, 20),
        Ticker("NVDA", "NVIDIA", 138.0, 0.48, 1, 60),
        Ticker("AMZN", "Amazon.com", 212.0, 0.3, 1, 30),
        Ticker("GOOGL", "Alphabet A", 178.0, 0.28, 1, 25),
        Ticker("GOOG", "Alphabet C", 180.0, 0.28, 1, 25),
        Ticker("META", "Meta Platforms", 580.0, 0.35, 2, 12),
        Ticker("TSLA", "Tesla", 330.0, 0.58, 2, 25),
        Ticker("BRK.B", "Berkshire Hathaway B", 470.0, 0.16, 3, 6),
        Ticker("JPM", "JPMorgan Chase", 245.0, 0.22, 1, 15),
        Ticker("V", "Visa", 310.0, 0.19, 2, 10),
        Ticker("MA", "Mastercard", 520.0, 0.2, 3, 6),
        Ticker("UNH", "UnitedHealth", 560.0, 0.26, 4, 5),
        Ticker("JNJ", "Johnson & Johnson", 156.0, 0.15, 1, 14),
        Ticker("XOM", "Exxon Mobil", 118.0, 0.22, 1, 20),
        Ticker("WMT", "Walmart", 88.0, 0.18, 1, 30),
        Ticker("PG", "Procter & Gamble", 172.0, 0.15, 1, 14),
        Ticker("HD", "Home Depot", 405.0, 0.21, 3, 6),
        Ticker("CVX", "Chevron", 158.0, 0.21, 1, 14),
        Ticker("KO", "Coca-Cola", 63.0, 0.13, 1, 45),
        Ticker("PEP", "PepsiCo", 160.0, 0.16, 1, 12),
        Ticker("ABBV", "AbbVie", 178.0, 0.22, 1, 12),
        Ticker("MRK", "Merck", 99.0, 0.21, 1, 20),
        Ticker("LLY", "Eli Lilly", 780.0, 0.32, 6, 4),
        Ticker("COST", "Costco", 930.0, 0.2, 6, 4),
        Ticker("AVGO", "Broadcom", 172.0, 0.42, 1, 16),
        Ticker("ORCL", "Oracle", 186.0, 0.3, 1, 15),
        Ticker("CRM", "Salesforce", 335.0, 0.3, 2, 8),
        Ticker("AMD", "Advanced Micro Devices", 140.0, 0.45, 1, 35),
        Ticker("INTC", "Intel", 24.5, 0.48, 1, 90),
        Ticker("CSCO", "Cisco", 58.0, 0.18, 1, 45),
        Ticker("ADBE", "Adobe", 505.0, 0.31, 3, 6),
        Ticker("NFLX", "Netflix", 880.0, 0.33, 6, 4),
        Ticker("QCOM", "Qualcomm", 157.0, 0.32, 1, 14),
        Ticker("TXN", "Texas Instruments", 200.0, 0.27, 1, 10),
        Ticker("IBM", "IBM", 224.0, 0.21, 1, 10),
        Ticker("INTU", "Intuit", 640.0, 0.27, 6, 4),
        Ticker("NOW", "ServiceNow", 1040.0, 0.32, 9, 3),
        Ticker("UBER", "Uber", 71.0, 0.38, 1, 30),
        Ticker("BAC", "Bank of America", 46.8, 0.23, 1, 80),
        Ticker("WFC", "Wells Fargo", 74.0, 0.25, 1, 35),
        Ticker("C", "Citigroup", 69.0, 0.26, 1, 35),
        Ticker("GS", "Goldman Sachs", 600.0, 0.25, 5, 4),
        Ticker("MS", "Morgan Stanley", 134.0, 0.25, 1, 12),
        Ticker("BLK", "BlackRock", 1030.0, 0.22, 9, 3),
        Ticker("SCHW", "Charles Schwab", 81.0, 0.27, 1, 18),
        Ticker("AXP", "American Express", 300.0, 0.24, 2, 7),
        Ticker("PYPL", "PayPal", 86.0, 0.36, 1, 25),
        Ticker("T", "AT&T", 22.8, 0.2, 1, 120),
        Ticker("VZ", "Verizon", 43.0, 0.2, 1, 60),
        Ticker("TMUS", "T-Mobile", 240.0, 0.19, 2, 8),
        Ticker("CMCSA", "Comcast", 43.0, 0.23, 1, 50),
        Ticker("DIS", "Walt Disney", 115.0, 0.26, 1, 20),
        Ticker("NKE", "Nike", 77.0, 0.29, 1, 22),
        Ticker("MCD", "McDonald's", 292.0, 0.16, 2, 8),
        Ticker("SBUX", "Starbucks", 100.0, 0.26, 1, 18),
        Ticker("LOW", "Lowe's", 268.0, 0.22, 2, 7),
        Ticker("TGT", "Target", 125.0, 0.32, 1, 12),
        Ticker("BA", "Boeing", 150.0, 0.36, 1, 16),
        Ticker("CAT", "Caterpillar", 400.0, 0.27, 3, 6),
        Ticker("DE", "Deere", 440.0, 0.25, 4, 5),
        Ticker("GE", "GE Aerospace", 178.0, 0.28, 1, 12),
        Ticker("HON", "Honeywell", 228.0, 0.18, 2, 8),
        Ticker("UPS", "UPS", 134.0, 0.24, 1, 12),
        Ticker("RTX", "RTX", 119.0, 0.19, 1, 16),
        Ticker("LMT", "Lockheed Martin", 530.0, 0.19, 5, 4),
        Ticker("MMM", "3M", 130.0, 0.26, 1, 12),
        Ticker("F", "Ford", 11.1, 0.34, 1, 180),
        Ticker("GM", "General Motors", 56.0, 0.32, 1, 35),
        Ticker("PFE", "Pfizer", 25.4, 0.23, 1, 120),
        Ticker("BMY", "Bristol Myers Squibb", 57.0, 0.25, 1, 35),
        Ticker("GILD", "Gilead", 90.0, 0.23, 1, 20),
        Ticker("AMGN", "Amgen", 290.0, 0.24, 3, 6),
        Ticker("CVS", "CVS Health", 57.0, 0.34, 1, 30),
        Ticker("COP", "ConocoPhillips", 110.0, 0.26, 1, 18),
        Ticker("SLB", "Schlumberger", 43.0, 0.31, 1, 45),
        Ticker("OXY", "Occidental", 51.0, 0.29, 1, 35),
        Ticker("KMI", "Kinder Morgan", 28.0, 0.2, 1, 60),
        Ticker("NEE", "NextEra Energy", 77.0, 0.25, 1, 28),
        Ticker("DUK", "Duke Energy", 114.0, 0.17, 1, 14),
        Ticker("SO", "Southern", 88.0, 0.16, 1, 20),
        Ticker("PLTR", "Palantir", 64.0, 0.65, 1, 70),
        Ticker("COIN", "Coinbase", 305.0, 0.8, 5, 8),
        Ticker("SHOP", "Shopify", 105.0, 0.45, 1, 18),
        Ticker("SNOW", "Snowflake", 165.0, 0.48, 2, 10),
        Ticker("MU", "Micron", 103.0, 0.45, 1, 28),
        Ticker("AMAT", "Applied Materials", 175.0, 0.37, 1, 12),
        Ticker("SMCI", "Super Micro Computer", 32.0, 0.9, 1, 60),
        Ticker("MARA", "MARA Holdings", 23.0, 0.95, 1, 90),
        Ticker("RIVN", "Rivian", 10.4, 0.65, 1, 120),
        Ticker("SOFI", "SoFi", 15.2, 0.58, 1, 110),
        Ticker("GME", "GameStop", 28.0, 0.85, 2, 30),
        Ticker("AMC", "AMC Entertainment", 4.6, 0.8, 1, 160),
        Ticker("SPY", "SPDR S&P 500 ETF", 595.0, 0.14, 1, 50),
        Ticker("QQQ", "Invesco QQQ", 505.0, 0.19, 1, 40),
        Ticker("IWM", "iShares Russell 2000", 238.0, 0.21, 1, 40),
        Ticker("DIA", "SPDR Dow Jones", 440.0, 0.13, 2, 15),
        Ticker("GLD", "SPDR Gold", 246.0, 0.15, 1, 25),
        Ticker("SLV", "iShares Silver", 28.0, 0.28, 1, 60),
        Ticker("TLT", "iShares 20+ Year Treasury", 90.0, 0.14, 1, 70),
        Ticker("SHY", "iShares 1-3 Year Treasury", 82.0, 0.02, 1, 60),
        Ticker("XLF", "Financial Select", 50.0, 0.16, 1, 90),
        Ticker("XLE", "Energy Select", 95.0, 0.21, 1, 45),
        Ticker("XLK", "Technology Select", 235.0, 0.22, 1, 20),
        Ticker("ARKK", "ARK Innovation", 55.0, 0.42, 1, 30),
        Ticker("VXX", "iPath VIX Futures", 46.0, 0.7, 2, 25),
        Ticker("HYG", "iShares High Yield", 79.0, 0.06, 1, 60),
        Ticker("EEM", "iShares Emerging Markets", 43.5, 0.17, 1, 90),
    )
}

# Where each is listed, as of 2026; a stock that is not here is listed somewhere, and where is not known. NYSE has the rest.
_NASDAQ = (
    "AAPL MSFT NVDA AMZN GOOGL GOOG META TSLA WMT PEP COST AVGO AMD INTC CSCO ADBE NFLX QCOM TXN INTU PYPL TMUS CMCSA SBUX "
    "HON GILD AMGN PLTR COIN SHOP MU AMAT SMCI MARA RIVN SOFI QQQ TLT SHY"
)
_ARCA, _BATS = "SPY IWM DIA GLD SLV XLF XLE XLK HYG EEM", "ARKK VXX"
EXCHANGES = dict.fromkeys(TICKERS, "NYSE")
for _exchange, _symbols in (("NASDAQ", _NASDAQ), ("ARCA", _ARCA), ("BATS", _BATS)):
    EXCHANGES |= dict.fromkeys(_symbols.split(), _exchange)
