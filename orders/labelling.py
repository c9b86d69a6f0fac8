"""Changing what is written on an order. It decides nothing, so it needs no book, and closed orders take it too."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from accounts.labels import LABELS, Labels, read_labels
from accounts.models import PaperAccount
from orders.models import Order
from orders.selectors import get_order


def changes_labels_alone(payload: object) -> bool:
    """Whether changes of an order are such that the order itself stays, and no other takes its place."""
    return isinstance(payload, Mapping) and bool(payload) and payload.keys() <= set(LABELS)


def label_order(*, account: PaperAccount, order_id: UUID | str, payload: Mapping[str, Any]) -> Order:
    """Write another note or other tags on an order of any generation; what is left out stays. Raises NotFound, BadRequest.

    The order's own times stay as they are: they are the books'.
    """
    order = get_order(account=account, order_id=order_id)
    labels = read_labels(payload, Labels(order.note, tuple(order.tags)))
    order.note, order.tags = labels.note, list(labels.tags)
    Order.objects.filter(pk=order.pk).update(note=order.note, tags=order.tags)
    return order
