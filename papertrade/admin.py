"""The door that Django looks for: the accounts and the audits of the admin."""

from papertrade.backoffice import accounts, audits  # noqa: F401
