"""Threads that wait for each other's locks as long as it takes: how long that may be is proven apart."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import connection

PATIENCE = "180s"


@pytest.fixture
def patient(committed: None) -> Iterator[None]:
    """On a busy machine sixteen waits for one lock may come to more than a caller has."""
    options = connection.settings_dict["OPTIONS"]
    usual = f"lock_timeout={settings.SESSION['lock_timeout']}"
    assert usual in options["options"]
    with patch.dict(options, {"options": options["options"].replace(usual, f"lock_timeout={PATIENCE}")}):
        _begin_anew()
        yield
    _begin_anew()


def _begin_anew() -> None:
    connection.close()
    connection.close_pool()
