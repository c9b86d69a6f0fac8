"""The HTTP API under /v1/: it parses, calls one service or selector, and renders. Wire format: docs/api.md."""
