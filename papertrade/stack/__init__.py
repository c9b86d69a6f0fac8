"""The whole server under one command: `python -m papertrade.stack`. No Django in here."""
