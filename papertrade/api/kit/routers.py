"""Addresses with names, one set for each viewset: a resource's list, its rows, and the @actions of both."""

from rest_framework.routers import Route, SimpleRouter


class Router(SimpleRouter):
    """As DRF's, with `path` converters, and two things more: a DELETE of a whole list, and a resource that is one object.

    `orders` named `order` gives `order-list`, `order-detail`, `order-events`; a viewset with `show` gives its bare name.
    """

    routes = [
        SimpleRouter.routes[0]._replace(
            mapping={"get": "list", "post": "create", "delete": "destroy_all"}, initkwargs={}
        ),
        Route(
            url=r"^{prefix}{trailing_slash}$", mapping={"get": "show"}, name="{basename}", detail=False, initkwargs={}
        ),
        SimpleRouter.routes[1],
        SimpleRouter.routes[2]._replace(
            mapping={"get": "retrieve", "patch": "partial_update", "delete": "destroy"}, initkwargs={}
        ),
        SimpleRouter.routes[3],
    ]

    def __init__(self, *, trailing_slash: bool = True) -> None:
        super().__init__(trailing_slash=trailing_slash, use_regex_path=False)
