"""Views: each parses, calls one service or a few selectors, and renders."""
