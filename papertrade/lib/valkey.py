"""This process's connection pool to Valkey."""

import threading

import redis
from django.conf import settings

TIMEOUT_SECONDS = 2

_client: redis.Redis | None = None
_client_lock = threading.Lock()


def client() -> redis.Redis:
    """This process's connection pool to Valkey."""
    global _client
    with _client_lock:  # a second client would, when it goes, close connections that threads of the first still use
        if _client is None:
            _client = redis.Redis.from_url(
                settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
            )
    return _client
