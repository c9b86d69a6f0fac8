"""The metrics of a host without a web server, on a port of their own, served by whichever of its processes gets it.

Feed, worker and beat count into their host's files as all processes do (`papertrade.lib.metrics`), but none of them answers
`/metrics`. With PAPERTRADE_METRICS_ADDRESS one of them does so for all; when it ends, another takes over the port. It asks
neither the database nor Valkey: every web host's `/metrics` has the state of the whole server, and a worker forks.
"""

import errno
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Self

import structlog
from django.conf import settings
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST

from papertrade.operations import gauges
from papertrade.operations.presence import Beacon

log = structlog.get_logger(__name__)

SECONDS = 5.0  # for which a client may be silent


class Exporter:
    """The server of a port that only one process of a host can have."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._server: HTTPServer | None = None
        self._has_said = False

    @classmethod
    def of_settings(cls) -> Self | None:
        """None where no address is set."""
        address = settings.PAPERTRADE_METRICS_ADDRESS
        return None if address is None else cls(address)

    def try_to_serve(self) -> bool:
        """Serve the port if it is free; whether this process serves it now."""
        if self._server is None:
            try:
                kind = _ServerOfIPv6 if ":" in self._address[0] else _Server
                self._server = kind(self._address, _Handler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE and not self._has_said:  # in use: by another process of this host
                    self._has_said = True
                    log.warning("metrics_not_served", address="{}:{}".format(*self._address), error=str(error))
                return False
            threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
            log.info("metrics_served", address="{}:{}".format(*self._address))
        return True

    def stop(self) -> None:
        """Let another have the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def attend(kind: str, *, role: Callable[[], str] = str) -> Beacon:
    """Show this process to operators from now on, and serve its host's metrics where that is configured."""
    exporter = Exporter.of_settings()
    return Beacon(kind, role=role, also=exporter.try_to_serve if exporter else bool).start()


class _Server(ThreadingHTTPServer):
    """A slow client occupies a thread of its own, and does not keep the scraper waiting."""

    daemon_threads = True


class _ServerOfIPv6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, b"Metrics are at /metrics.\n")
        elif not constant_time_compare(
            self.headers.get("Authorization", ""), f"Bearer {settings.PAPERTRADE_METRICS_TOKEN}"
        ):
            self._answer(401, b"Send the header Authorization: Bearer and PAPERTRADE_METRICS_TOKEN.\n")
        else:
            self._answer(200, gauges.scrape(states=False), CONTENT_TYPE_LATEST)

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer realm="papertrade metrics"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: a scrape every few seconds is no news."""
