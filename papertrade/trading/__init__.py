"""Use cases over several apps, and the passage of time."""
