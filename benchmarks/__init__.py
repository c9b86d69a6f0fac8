"""Figures of docs/performance.md, each beside its floor. `make bench`, or `make bench BENCH=P2`."""
