"""The last touches to the OpenAPI document, by rule and not call by call: names of enums and bodies, examples, sources.

What has a `title` becomes a component of that name, so that generated clients have one type for it and not one per call.
"""

from typing import Any

# Values that work on any server, whatever was traded on it.
EXAMPLES = {
    "symbols": "AAPL,MSFT",
    "query": "apple",
    "contract_type": "call",
    "status": "open",
    "period": "1D",
    "timeframe": "5Min",
}
# In a path the same name means different things.
PATH_EXAMPLES = {
    ("/v1/stocks/", "symbol"): "AAPL",
    ("/v1/options/chain/", "symbol"): "SPY",
    ("/v1/options/snapshot/", "underlying"): "SPY",
    ("/v1/options/contracts/", "underlying_ticker"): "SPY",
    ("/v1/tickers/expirations/", "symbol"): "SPY",
    ("/v1/{product}/", "product"): "stocks",
    ("/v1/{product}/", "symbol"): "AAPL",
    ("/v1/{product}/", "kind"): "sma",
    ("/v1/{product}/", "multiplier"): "5",
    ("/v1/{product}/", "timespan"): "minute",
    ("/v1/{product}/", "from_date"): "2026-05-15",
    ("/v1/{product}/", "to_date"): "2026-05-15",
    ("/v1/", "day"): "2026-05-15",
    ("/v1/stocks/", "direction"): "gainers",
    ("/v1/paper/", "symbol"): "AAPL",
    ("/v1/paper/", "generation"): "1",
}
# Where the value of a path parameter comes from.
SOURCES = {
    "account_id": "The `id` of an account, from GET /v1/paper/accounts/.",
    "order_id": "The `id` of an order, from the account's orders.",
    "generation": "The `number` of one of the account's generations.",
    "watchlist_id": "The `id` of one of the account's watchlists.",
    "symbol": "A ticker, or a contract's `details.ticker` from the chain.",
    "underlying": "The stock's ticker.",
    "product": "stocks or options.",
    "kind": "sma, ema or rsi.",
    "multiplier": "How many of the timespan a bar is.",
    "timespan": "minute, hour, day, week, month, quarter or year.",
    "from_date": "A New York day, or milliseconds since 1970.",
    "to_date": "A New York day, or milliseconds since 1970.",
    "day": "A New York day.",
    "direction": "gainers or losers.",
}


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    schemas = result["components"]["schemas"]
    for schema in list(schemas.values()):
        _name_parts(schema.get("properties", {}), schemas)
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                _explain(path, parameter)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                operation["requestBody"]["required"] = "required" in content["schema"]
                content["schema"] = _named(content["schema"], schemas)
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _named(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema where it has a title, which it then stands under; else itself, with its parts named."""
    _name_parts(schema.get("properties", {}), schemas)
    if "title" not in schema:
        return schema
    beside = {key: schema[key] for key in ("readOnly",) if key in schema}
    whole = {key: value for key, value in schema.items() if key not in beside}
    assert schemas.setdefault(schema["title"], whole) == whole, f"two schemas are called {schema['title']}"
    reference = {"$ref": f"#/components/schemas/{schema['title']}"}
    return {"allOf": [reference], **beside} if beside else reference


def _name_parts(properties: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, schema in properties.items():
        if "oneOf" in schema:
            schema["oneOf"] = [_named(one, schemas) for one in schema["oneOf"]]
        properties[name] = _named(schema, schemas)


def _explain(path: str, parameter: dict[str, Any]) -> None:
    name = parameter["name"]
    in_path = parameter["in"] == "path"
    example = (
        next(
            (value for (start, known), value in PATH_EXAMPLES.items() if known == name and path.startswith(start)), None
        )
        if in_path
        else EXAMPLES.get(name)
    )
    if example is not None:
        parameter["example"] = example
    if in_path and name in SOURCES:
        parameter.setdefault("description", SOURCES[name])
