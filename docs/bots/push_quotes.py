"""Push quotes of your own into a live market with PAPERTRADE_PROVIDER=push: from a CSV file here, from any callback alike.

    python docs/bots/push_quotes.py var/credentials.json quotes.csv

The file has the header symbol,bid,ask,bid_size,ask_size; an empty field is null.

Each row is stamped when it is sent. A feed that knows its quotes' own times sends those: ages are counted from them.
"""

import csv
import json
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

FIELDS = ("symbol", "bid", "ask", "bid_size", "ask_size")
TOGETHER = 500  # quotes in one request; the server takes 1,000


def push(credentials: dict[str, str], quotes: list[dict[str, str | None]]) -> None:
    """Send quotes, and say which were refused and why. The key needs the scope `market`."""
    headers = {"Authorization": f"Bearer {credentials['market_key']}", "Content-Type": "application/json"}
    body = json.dumps({"quotes": quotes}).encode()
    request = urllib.request.Request(f"{credentials['base_url']}/market/quotes/", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        for refused in json.load(answer)["refused"]:
            print("refused", refused["symbol"], refused["reason"], file=sys.stderr)


def main(credentials_file: str, csv_file: str) -> None:
    credentials = json.loads(Path(credentials_file).read_text())
    with open(csv_file, newline="") as lines:
        rows = [{name: row[name] or None for name in FIELDS} for row in csv.DictReader(lines)]
    for start in range(0, len(rows), TOGETHER):
        if start:
            time.sleep(1)
        now = datetime.now(UTC).isoformat()
        push(credentials, [{**row, "quoted_at": now} for row in rows[start : start + TOGETHER]])


if __name__ == "__main__":
    main(*sys.argv[1:3])
