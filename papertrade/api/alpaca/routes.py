"""How an address of Alpaca's is written down."""

from django.urls import URLPattern, path

from papertrade.api.alpaca.views import AlpacaViewSet


def at(address: str, viewset: type[AlpacaViewSet], **actions: str) -> URLPattern:
    """An address and what each method does there."""
    return path(address, viewset.as_view(actions))
