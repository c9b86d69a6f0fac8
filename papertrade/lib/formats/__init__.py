"""How Django shows a date where it is not told: FORMAT_MODULE_PATH."""
