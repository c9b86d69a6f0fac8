"""Trades through the API of the release in the working directory, in this process; tests/operations/test_rolling.py runs it.

It speaks what every release of /v1/ understands, in a simulated market at speed 0 on a Friday afternoon, and ends on the
Monday after: fills, cancels, a close, an open, a reset, an archived account. `python trade.py CREDENTIALS FRIDAY`.
"""

import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "papertrade.settings"

import django

django.setup()

from django.test import Client  # noqa: E402

KEY = json.loads(Path(sys.argv[1]).read_text())["market_key"]
FRIDAY = date.fromisoformat(sys.argv[2])


def ask(method: str, path: str, body: Any = None) -> Any:
    data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    headers = {"Authorization": f"Bearer {KEY}", "Host": "localhost"}
    answer = getattr(Client(), method)(f"/v1/{path}", headers=headers, **data)
    assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.content.decode()}"
    return json.loads(answer.content) if answer.content else None


def advance(day: date, time: str) -> None:
    ask("post", "market/clock/advance/", {"to": f"{day}T{time}Z"})


def account(name: str) -> str:
    made = ask("post", "paper/accounts/", {"name": name})
    return f"paper/accounts/{made['account']['id']}/"


def send(at: str, side: str, qty: str, **more: Any) -> str:
    order = {"symbol": "AAPL", "qty": qty, "side": side, "type": "market", "time_in_force": "day", **more}
    return f"{at}orders/{ask('post', f'{at}orders/', order)['id']}/"


def status(order: str) -> str:
    return ask("get", order)["status"]


advance(FRIDAY, "15:00:00")
desk = account(f"on {FRIDAY}")
assert status(send(desk, "buy", "3")) == "filled"
assert status(send(desk, "sell", "1")) == "filled"
far = {"type": "limit", "limit_price": "1"}
canceled, expires, stays = (send(desk, "buy", "1", **far, time_in_force=kind) for kind in ("day", "day", "gtc"))
ask("delete", canceled)
advance(FRIDAY, "22:00:00")
opens = send(desk, "buy", "2")
assert [status(order) for order in (canceled, expires, stays, opens)] == ["canceled", "expired", "new", "accepted"]
advance(FRIDAY + timedelta(days=3), "15:00:00")
assert status(opens) == "filled"
ask("patch", desk, {"name": f"on {FRIDAY}, renamed"})
ask("post", f"{desk}reset/", {"confirm": True})
assert status(send(desk, "buy", "1")) == "filled"
gone = account(f"archived on {FRIDAY}")
ask("delete", gone)
assert ask("get", f"{desk}ledger/verify/")
print("traded")
