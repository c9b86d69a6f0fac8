"""The web server: it holds the clients, so that slow or silent ones never hold a thread, and lets Django answer.

`python -m papertrade.web` is one listening socket and some worker processes, forks of it. In each, an event loop keeps the
connections (`connections`), reads a request whole, has it answered on one of few threads (`bridge`), and sends the answer
whole. Streams never take a thread: they are ASGI applications that `papertrade/asgi.py` chooses.
"""
