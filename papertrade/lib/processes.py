"""What a process is called where operators read of it."""

import os
import socket


def process_name() -> str:
    """Host and process, `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"
