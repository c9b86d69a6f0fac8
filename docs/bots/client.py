"""The few lines that every bot here shares: one call, every row of a list, the open of the market. Standard library only."""

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

VAR = Path(os.environ.get("PAPERTRADE_VAR", Path(__file__).resolve().parents[2] / "var"))
RETRIED = {429, 503}  # nothing was stored: the same request may be sent again


class Refused(Exception):
    """The server said no. `code` is the stable word for why, `details` the rest; docs/codes.md has them all."""

    def __init__(self, status, error):
        super().__init__(f"{status} {error['code']}: {error['message']} {error['details'] or ''}".strip())
        self.status, self.code, self.details = status, error["code"], error["details"]


class Client:
    """One key. Without arguments: that of the server on this machine, out of var/credentials.json."""

    def __init__(self, base_url=None, key=None):
        known = {} if base_url and key else json.loads((VAR / "credentials.json").read_text())
        self.base_url, self.key = base_url or known["base_url"], key or known["paper_key"]

    def call(self, method, path, body=None):
        """The answer as JSON, None where there is none. Raises Refused; waits and retries where the server asks for it."""
        request = urllib.request.Request(
            path if path.startswith("http") else self.base_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code not in RETRIED:
                    refusal = Refused(error.code, json.load(error)["error"])
                    # Perhaps it was stored: under the same id the same order is sent again, and is still one order.
                    if refusal.code != "outcome_unknown" or "client_order_id" not in (body or {}):
                        raise refusal from None
                time.sleep(float(error.headers.get("Retry-After", 1)))

    def rows(self, path):
        """Every row of a list, page after page."""
        while path:
            page = self.call("GET", path)
            yield from page["results"]
            path = page["next_url"]

    def open_account(self, name, cash="100000"):
        """A new account's path: what is done with it goes below."""
        account = self.call("POST", "/paper/accounts/", {"name": name, "initial_cash": cash})["account"]
        return f"/paper/accounts/{account['id']}"

    def wait_for_the_open(self):
        """Return when the market is open. Exchange time may run faster than your clock, or stand: so ask, never count."""
        while not (clock := self.call("GET", "/market/clock/"))["is_open"]:
            print(f"closed until {clock['next_open']}")
            time.sleep(1)
