"""Alpaca's MCP server with this server behind it, without a change to either.

    ALPACA_API_KEY=THE_ACCOUNTS_ID ALPACA_SECRET_KEY=cm_... python docs/bots/alpaca_mcp.py http://127.0.0.1:8000

Its trading host is written into it and no setting changes that, so it is changed here before the server is built. For an agent:
this command in the place of `alpaca-mcp-server`, run by the Python that has the package.
"""

import os
import sys


def point(here: str) -> None:
    """Trading and market data at this address."""
    os.environ["DATA_API_URL"] = here
    from alpaca_mcp_server import server  # after the setting, which it reads when it is loaded

    server.TRADING_API_BASE_URLS["paper"] = here


if __name__ == "__main__":
    point(sys.argv.pop(1).rstrip("/"))
    from alpaca_mcp_server import cli

    cli.main()
