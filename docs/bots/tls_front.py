"""TLS in front of a server that has none: what comes in at a port is passed on as it is, and what comes back too.

    sudo python3 docs/bots/tls_front.py 127.0.0.1:443 var/alias/server.pem var/alias/server.key 127.0.0.1:8000

Where to listen, a certificate and its key, the server. For one machine: it limits nobody, as a proxy on a network must.
"""

import asyncio
import contextlib
import ssl
import sys
from functools import partial

CHUNK_BYTES = 65_536


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Everything that comes, until the sender ends."""
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK_BYTES):
            sink.write(data)
            await sink.drain()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, server: tuple[str, int]) -> None:
    """One connection, both ways, until either side ends it."""
    ends = [writer]
    try:
        answers, requests = await asyncio.open_connection(*server)
        ends.append(requests)
        ways = [asyncio.create_task(pump(reader, requests)), asyncio.create_task(pump(answers, writer))]
        _, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in others:
            way.cancel()
    except OSError as problem:
        print(f"{server[0]}:{server[1]}: {problem}", file=sys.stderr)
    finally:
        for end in ends:
            end.close()


async def main(listen: str, certificate: str, key: str, server: str) -> None:
    """Listen until it is stopped."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    host, port = listen.rsplit(":", 1)
    to, to_port = server.rsplit(":", 1)
    serve = partial(pass_on, server=(to, int(to_port)))
    async with await asyncio.start_server(serve, host, int(port), ssl=context) as front:
        print(f"https://{listen} -> {server}", flush=True)
        await front.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
