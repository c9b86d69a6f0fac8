"""`python -m benchmarks.dashboard`: server time of pages of an account with a year of minutes and 100,000 orders.

The first request of each page is shown beside the median of the rest; the bar is 500 ms. Ends with status 1 above it.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import say
from benchmarks.run import prepare_django

ORDERS = 100_000
FILLED_ORDERS = 50
BAR_MS = 500.0
REPEATS = 7


def make_account() -> str:
    """The account's id: a year of snapshots, 100,000 orders, a position, some fills."""
    from accounts.models import PaperAccount
    from benchmarks import data, market, submits, trials
    from orders.services import submit

    market.simulated(seconds_after_open=60)
    book_id = data.open_books(1)[0]
    account = PaperAccount.objects.get(books=book_id)
    say("98,000 snapshots")
    trials.add_year(book_id)
    say(f"{ORDERS:,} orders")
    submits.add_orders(book_id, ORDERS)
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "time_in_force": "day"}
    for _ in range(FILLED_ORDERS):
        submit(account=account, payload={**order, "type": "market"})
    submit(account=account, payload={**order, "type": "limit", "limit_price": "1"})
    return str(account.pk)


def pages(account: str) -> dict[str, str]:
    """Addresses by what they are."""
    home = f"/accounts/{account}/"
    return {
        "accounts": "/",
        "account page": home,
        "its history, whole year": f"/v1/paper{home}portfolio/history/?period=all&limit=1000",
        "positions": f"{home}positions/",
        "orders": f"{home}orders/",
        "orders, page 400": f"{home}orders/?page=400",
        "orders by quantity": f"{home}orders/?sort=-qty",
        "orders by status": f"{home}orders/?sort=status",
        "orders, found by id": f"{home}orders/?q=copy-4711",
        "orders, nothing found": f"{home}orders/?q=nothing",
        "open orders": f"{home}orders/?status=open",
        "fills": f"{home}fills/",
        "ledger": f"{home}ledger/",
        "generations": f"{home}generations/",
        "manage": f"{home}manage/",
    }


def measure(account: str) -> bool:
    """Ask for every page as its owner; whether all were within the bar."""
    from django.test import Client

    from benchmarks.data import user

    client = Client(headers={"host": "localhost"})
    client.force_login(user())
    fine = True
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    for what, address in pages(account).items():
        times = []
        for _ in range(1 + REPEATS):
            started = time.perf_counter()
            response = client.get(address)
            times.append(1000 * (time.perf_counter() - started))
            if response.status_code != 200:
                raise AssertionError(f"{address}: {response.status_code}")
        p50 = statistics.median(times[1:])
        fine = fine and p50 <= BAR_MS
        print(
            f"{what:<26} first {times[0]:6.0f} ms, then {p50:6.0f} ms{'' if p50 <= BAR_MS else '  ABOVE'}", flush=True
        )
    return fine


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    servers = prepare_django(folder)
    try:
        return 0 if measure(make_account()) else 1
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
