"""What a worker process of the web server does: serve the application on a listening socket."""

import resource
import socket
import sys
from typing import Any

import uvicorn

from papertrade.lib import env
from papertrade.web import limits
from papertrade.web.connections import Connection, SocketConnection
from papertrade.web.places import Watched

APPLICATION = "papertrade.asgi:application"
KINDS = 2  # of places: for HTTP, and for WebSockets


def places(wanted: int) -> int:
    """How many connections of a kind the system lets this process have, at most those wanted. Raises its limit of files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = KINDS * wanted + limits.FILES_BESIDE_CONNECTIONS
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, (soft - limits.FILES_BESIDE_CONNECTIONS) // KINDS)


def config(application: Any, **others: Any) -> uvicorn.Config:
    """How uvicorn serves an application here."""
    return uvicorn.Config(
        application,
        http=Connection,
        ws=SocketConnection,
        ws_max_size=limits.MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # 100 bytes would become a message of the largest size
        loop="asyncio",
        interface="asgi3",
        backlog=limits.BACKLOG,
        timeout_keep_alive=round(limits.IDLE_SECONDS),
        proxy_headers=False,  # who is behind a proxy is decided in one place: papertrade.lib.addresses
        server_header=False,
        log_config=None,  # Django's settings say how to log
        log_level="error",
        access_log=False,
        **{"lifespan": "on", "timeout_graceful_shutdown": round(limits.FINISH_SECONDS), **others},
    )


def serve(listening: socket.socket) -> None:
    """Serve until told to stop."""
    sys.setswitchinterval(limits.SWITCH_SECONDS)
    Watched.most = places(env.whole("PAPERTRADE_WEB_CONNECTIONS", 2_000, low=16, high=100_000))
    uvicorn.Server(config(APPLICATION)).run([listening])
