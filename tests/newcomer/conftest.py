"""Where a newcomer puts the clone."""

from tests.stack.conftest import new_folder

__all__ = ["new_folder"]
