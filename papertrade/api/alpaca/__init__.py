"""Alpaca's trading API under /v2/: it translates to this project's services and back, and has no rule of its own."""
