"""How a route of Alpaca's API is declared."""

from django.urls import URLPattern, path

from papertrade.api.alpaca.views import AlpacaViewSet


def at(address: str, viewset: type[AlpacaViewSet], **actions: str) -> URLPattern:
    """An address and what each method does there."""
    return path(address, viewset.as_view(actions))
