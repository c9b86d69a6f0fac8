"""Who a request comes from, by how many proxies are trusted."""

from typing import Any

import pytest
from django.test import RequestFactory

from papertrade.lib.addresses import UNKNOWN, client_network

PEER = "10.0.0.1"

# proxies, X-Forwarded-For, the address
CASES = [
    (0, "", PEER),
    (0, "1.1.1.1", PEER),  # no proxy: anybody wrote it
    (1, "1.1.1.1", "1.1.1.1"),
    (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),  # the first was sent along
    (2, "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),  # a CDN in front of the proxy
    (2, "1.1.1.1", PEER),  # came past the CDN
    (1, "", PEER),
    (1, "nonsense", UNKNOWN),
    (1, "2001:db8:1:2::1", "2001:db8:1:2::/64"),
    (1, "2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
]


@pytest.mark.parametrize(("proxies", "said", "address"), CASES)
def test_the_address(settings: Any, proxies: int, said: str, address: str) -> None:
    settings.PAPERTRADE_TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": said} if said else {}
    assert client_network(RequestFactory().get("/", REMOTE_ADDR=PEER, headers=headers)) == address
