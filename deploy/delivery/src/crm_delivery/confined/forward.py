"""`python -m crm_delivery.confined.forward ADDRESS PORT SOCKET`: hands connections on to a Unix socket.

The embedded PostgreSQL listens on such a one; sockets of the file system are reached from every network namespace.
"""

import asyncio
import sys
from contextlib import suppress


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()
    target.close()


async def main(address: str, port: int, socket: str) -> None:
    """Until it is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_carry(reader, upstream_writer), _carry(upstream_reader, writer))

    async with await asyncio.start_server(serve, address, port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
