"""The one language that there is."""
