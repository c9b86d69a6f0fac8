"""The door that Django looks for: the accounts of the admin."""

from papertrade.backoffice import accounts  # noqa: F401
