"""Alpaca's market data, made of quotes: bars and trades are middles of them, and say so (docs/alpaca.md)."""
