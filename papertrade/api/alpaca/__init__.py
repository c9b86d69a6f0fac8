"""Alpaca's trading API under /v2/: it translates between its clients and our services, and has no rule of its own."""
