"""Proof of the books: audits, exported heads, and bundles that anyone can check."""
