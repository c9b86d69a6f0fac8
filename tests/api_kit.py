"""An HTTP client of the API as a bot would be, through the whole of Django, with one key."""

import json
from typing import Any

from django.test import Client

PAPER = "/v1/paper/accounts/"
# What stands in the places of addresses of market data.
MARKET_PLACES = {
    "product": "stocks", "symbol": "IBM", "underlying": "IBM", "kind": "sma", "direction": "gainers", "multiplier": "1",
    "timespan": "minute", "from_date": "2013-10-07", "to_date": "2013-10-07", "day": "2013-10-07",
}  # fmt: skip


class Api:
    """Sends JSON with a bearer key; `accounts` paths may be written from the account on: `api.get(f"{id}/orders/")`."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        self._client = Client(raise_request_exception=False)

    def request(
        self, method: str, path: str, body: Any = None, *, query: dict[str, Any] | None = None, **extra: Any
    ) -> Any:
        """The response; `body` is JSON unless it is bytes or text already."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **extra.pop("headers", {})}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self._client.generic(
            method,
            path if path.startswith("/") else PAPER + path,
            body if body is not None else "",
            content_type=extra.pop("content_type", "application/json"),
            query_params=query or {},
            headers=headers,
            **extra,
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.request("POST", path, {} if body is None else body, **extra)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("PATCH", path, body)

    def delete(self, path: str, **query: Any) -> Any:
        return self.request("DELETE", path, query=query)

    def open_account(self, **body: Any) -> str:
        """The id of a new account."""
        response = self.post(PAPER, body)
        assert response.status_code == 201, response.content
        return response.json()["account"]["id"]

    def order(self, account_id: str, **fields: Any) -> Any:
        """Submit an order, by default a market day buy of one share of IBM; None leaves a field out."""
        order = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **fields}
        return self.post(f"{account_id}/orders/", {name: value for name, value in order.items() if value is not None})

    def buy(self, account_id: str, **fields: Any) -> dict[str, Any]:
        """The order of a submit that must be stored."""
        response = self.order(account_id, **fields)
        assert response.status_code == 201, response.content
        return response.json()

    def sell(self, account_id: str, **fields: Any) -> dict[str, Any]:
        """As `buy`, the other side."""
        return self.buy(account_id, side="sell", **fields)

    def summary(self, account_id: str, **query: Any) -> dict[str, Any]:
        """The account's figures."""
        return self.get(f"{account_id}/account/", **query).json()

    def all(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a list, page after page, `next_url` requested as it is."""
        response = self.get(path, **query).json()
        rows = response["results"]
        while response["next_url"]:
            response = self.request("GET", response["next_url"].removeprefix("http://testserver")).json()
            rows += response["results"]
        return rows
