"""The clients of P1, in a process of their own: `python -m benchmarks.client PORT TOKEN SECONDS ACCOUNT...`.

One thread an account sends market orders on one connection as fast as they are answered; prints the latencies as JSON.
"""

import http.client
import json
import sys
import threading
import time

CONNECT_SECONDS = 20


def trade(port: int, token: str, account: str, until: float, latencies: list[float], statuses: list[str]) -> None:
    """Send orders until the time is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    while (started := time.perf_counter()) < until:
        connection.request("POST", f"/v1/paper/accounts/{account}/orders/", body, headers)
        answer = connection.getresponse()
        order = json.loads(answer.read())
        latencies.append(time.perf_counter() - started)
        statuses.append(order.get("status", "") if answer.status == 201 else f"HTTP {answer.status}")


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


def main(port: int, token: str, seconds: float, accounts: list[str]) -> None:
    """Warm up for a second, then measure."""
    wait_for(port)
    latencies: list[float] = []
    statuses: list[str] = []
    for length, times, states in ((1.0, [], []), (seconds, latencies, statuses)):
        until = time.perf_counter() + length
        threads = [
            threading.Thread(target=trade, args=(port, token, account, until, times, states)) for account in accounts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps({"latencies": latencies, "filled": statuses.count("filled"), "others": sorted(set(statuses))}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4:])
