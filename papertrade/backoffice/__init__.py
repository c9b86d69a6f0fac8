"""Django's admin: its site, its groups, and the accounts in it."""
