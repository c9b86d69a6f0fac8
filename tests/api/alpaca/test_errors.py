"""Our refusals in Alpaca's words."""

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from papertrade.api.alpaca.errors import BAD_INPUT, AlpacaError, translated
from papertrade.api.alpaca.parameters import Query
from papertrade.api.kit.errors import STATUS_OF_CODE
from papertrade.lib.errors import PapertradeError

# What is said of who asks, how often and when keeps its status; what is said of an order has Alpaca's.
KEPT = {401, 403, 404, 413, 429, 503}


@pytest.mark.parametrize("code", [code for code, status in STATUS_OF_CODE.items() if status in KEPT])
def test_what_is_said_of_the_request_keeps_its_status(code: str) -> None:
    told = translated(PapertradeError("no", code=code))
    assert (told.status, told.code // 100_000) == (STATUS_OF_CODE[code],) * 2


def test_a_parameter_that_no_column_takes() -> None:
    with pytest.raises(AlpacaError) as refused:
        Query(Request(APIRequestFactory().get("/v2/watchlists:by_name?name=a%00b")))
    assert (refused.value.status, refused.value.code) == (422, BAD_INPUT)
