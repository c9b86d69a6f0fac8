"""The name of a process, where operators read it."""

import os
import socket


def process_name() -> str:
    """Host and process, `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"
