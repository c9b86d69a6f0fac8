"""Whether the server is well, the figures of it, backup and restore."""
