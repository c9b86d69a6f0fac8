"""The hosted product's market data in its own shapes, so that its clients work against this server (docs/market-data.md).

Here, and only here, prices are JSON numbers and times milli- or nanoseconds, as the hosted product sends them.
"""
