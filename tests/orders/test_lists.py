"""What a list reads of an order is all that showing it needs."""

from orders.selectors import ListedOrder
from papertrade.api.paper.serializers import OrderSerializer


def test_a_row_has_every_field_of_the_wire() -> None:
    sources = {field.source.split(".")[0] for field in OrderSerializer().fields.values()} - {"*"}
    assert {source for source in sources if not hasattr(ListedOrder, source)} == set()
