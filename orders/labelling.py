"""Changing the labels of an order. They have no effect on trading, so no book is locked, and closed orders take them too."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from accounts.labels import LABELS, changed_labels
from accounts.models import PaperAccount
from orders.models import Order
from orders.selectors import get_order


def changes_labels_alone(payload: object) -> bool:
    """Whether a payload changes labels only, so that the order itself stays and no other takes its place."""
    return isinstance(payload, Mapping) and bool(payload) and payload.keys() <= set(LABELS)


def label_order(*, account: PaperAccount, order_id: UUID | str, payload: Mapping[str, Any]) -> Order:
    """Write another note or other tags on an order of any generation; what is left out stays. Raises NotFound, BadRequest.

    The order's own times stay as they are: they are the books'.
    """
    order, changes = get_order(account=account, order_id=order_id), changed_labels(payload)
    Order.objects.filter(pk=order.pk).update(**changes)  # these alone: somebody may change the other just now
    for name, value in changes.items():
        setattr(order, name, value)
    return order
