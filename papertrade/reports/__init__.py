"""Judging a run: its statistics, trades, execution and figures, for API, dashboard, tearsheet and admin alike. Read only."""
