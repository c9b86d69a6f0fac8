"""Where a request comes from: the one place that decides which proxies to believe."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64
UNKNOWN = "unknown"


def client_network(request: HttpRequest) -> str:
    """An IPv4 address, or the /64 network that an IPv6 client has to itself."""
    return network_of(request.META)


def network_of(environ: Mapping[str, Any]) -> str:
    """The same, from a request's WSGI environment.

    Each trusted proxy appends the address that it was called from to X-Forwarded-For. So with N of them the Nth entry from the
    end is the client's, and whatever stands before it anybody may have written. A request with fewer entries did not come
    through all of them: its address is that of its connection.
    """
    proxies, peer = settings.PAPERTRADE_TRUSTED_PROXIES, environ.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")] if proxies else []
    address = hops[-proxies] if proxies and len(hops) >= proxies else peer
    try:
        place = ip_address(address or peer)
    except ValueError:
        return UNKNOWN
    return str(ip_network((place, IPV6_PREFIX), strict=False)) if place.version == 6 else str(place)
