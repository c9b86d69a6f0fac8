"""Folders that servers can live in."""

from tests.stack.conftest import folder, new_folder

__all__ = ["folder", "new_folder"]
