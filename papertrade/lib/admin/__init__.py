"""What the admin of every app is made of: read-only lists that page by key, cells, filters, CSV, actions with a reason.

Knows no table of the project; each app's `admin.py` says what its rows are.
"""
