"""Django's admin: its site, its groups, and its pages that span several apps."""
