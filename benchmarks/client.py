"""The clients of P1 and P11, in a process of their own: `python -m benchmarks.client WAY PORT TOKEN SECONDS ACCOUNT...`.

WAY is `paper` for our own API, `alpaca` for Alpaca's.

One thread an account sends market orders on one connection as fast as they are answered; prints the latencies as JSON.
"""

import http.client
import json
import sys
import threading
import time

CONNECT_SECONDS = 20


def address(way: str, token: str, account: str) -> tuple[str, dict[str, str]]:
    """Where an order goes, and the headers that say who sends it."""
    if way == "alpaca":
        return "/v2/orders", {"APCA-API-KEY-ID": account, "APCA-API-SECRET-KEY": token}
    return f"/v1/paper/accounts/{account}/orders/", {"Authorization": f"Bearer {token}"}


def trade(
    way: str, port: int, token: str, account: str, until: float, latencies: list[float], statuses: list[str]
) -> None:
    """Send orders until the time is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"})
    path, who = address(way, token, account)
    headers = {**who, "Content-Type": "application/json"}
    while (started := time.perf_counter()) < until:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        order = json.loads(answer.read())
        latencies.append(time.perf_counter() - started)
        statuses.append(order.get("status", "") if answer.status in (200, 201) else f"HTTP {answer.status}")


def wait_for(port: int) -> None:
    """Until every worker has answered a few times."""
    deadline = time.monotonic() + CONNECT_SECONDS
    answered = 0
    while answered < 20:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/status/")
            connection.getresponse().read()
            answered += 1
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main(way: str, port: int, token: str, seconds: float, accounts: list[str]) -> None:
    """Warm up for a second, then measure."""
    wait_for(port)
    latencies: list[float] = []
    statuses: list[str] = []
    for length, times, states in ((1.0, [], []), (seconds, latencies, statuses)):
        until = time.perf_counter() + length
        threads = [
            threading.Thread(target=trade, args=(way, port, token, account, until, times, states))
            for account in accounts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps({"latencies": latencies, "filled": statuses.count("filled"), "others": sorted(set(statuses))}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), sys.argv[5:])
