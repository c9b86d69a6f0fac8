"""The market: /v1/market/, /v1/stocks/, /v1/options/, /v1/tickers/."""
