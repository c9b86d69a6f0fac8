"""Folders that servers can live in."""

from tests.stack.conftest import new_folder

__all__ = ["new_folder"]
