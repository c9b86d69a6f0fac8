"""Which option contracts a query asks for, by right, root, strike and expiry: the same for contracts and for chains."""

from collections.abc import Callable
from datetime import date

from marketdata.instruments import Instrument
from papertrade.api.alpaca.parameters import Query


def contract_filter(query: Query, *, expiring_until: date | None = None) -> Callable[[Instrument], bool]:
    """Whether a contract is asked for; `expiring_until` bounds its expiry where the query does not. Raises AlpacaError."""
    right, root = query.word("type", ("call", "put", ""), ""), query.text("root_symbol").upper()
    low, high = query.number("strike_price_gte"), query.number("strike_price_lte")
    on, least, most = (query.day(f"expiration_date{end}") for end in ("", "_gte", "_lte"))
    if on is None and least is None and most is None:
        most = expiring_until

    def wanted(item: Instrument) -> bool:
        expiry, strike, kind = item.contract
        return (
            (not right or kind == right)
            and (not root or item.root == root)
            and (low is None or strike >= low)
            and (high is None or strike <= high)
            and (on is None or expiry == on)
            and (least is None or expiry >= least)
            and (most is None or expiry <= most)
        )

    return wanted
