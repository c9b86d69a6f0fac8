"""Sweeps: what works through all books at an open or a close, in chunks."""
