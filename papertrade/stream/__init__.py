"""Streams: answers without an end, on the same origin and in the same workers as everything else (`papertrade/asgi.py`).

Events of accounts are never pushed by whoever wrote them: each process looks which accounts have moved, and a stream reads
what is new by number. So nothing is lost or sent twice, whoever crashes, and a submit costs nothing more.
"""

from papertrade.stream import account_events, market_data, trade_updates

STREAMS = [
    (account_events.takes, account_events.application),
    (trade_updates.takes_events, trade_updates.event_stream),
    (trade_updates.takes_socket, trade_updates.socket),
    (market_data.takes, market_data.application),
]
