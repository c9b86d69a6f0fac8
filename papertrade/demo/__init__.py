"""Demonstration accounts, traded through the real services."""
