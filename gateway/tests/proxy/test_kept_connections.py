"""A connection to a service that is idle is given up before the service, once it is asked to end, would close it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from crm_kit.db.provision import ServiceUrls
from crm_testkit.door import running_door
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST

_ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{"data":[],"next_cursor": null}'
)


@asynccontextmanager
async def _kept_by_whoever_asks(given_up: asyncio.Event) -> AsyncIterator[str]:
    """The URL of a service that never closes a connection itself, and tells when somebody else does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(10_000):
            writer.write(_ANSWER)
            await writer.drain()
        given_up.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_an_idle_connection_is_given_up_while_its_service_still_answers(
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    given_up = asyncio.Event()
    folder = tmp_path_factory.mktemp("kept")
    urls = (postgres_database("gateway"), event_log_database(), folder)
    async with (
        _kept_by_whoever_asks(given_up) as contacts,
        running_door(MANIFEST, make_authenticator, *urls, contacts_url=contacts, shutdown_delay_seconds=1.0) as door,
    ):
        holder = await door.tenant()
        assert (await holder.client.get("/v1/contacts", params={"limit": "1"})).status_code == 200
        await asyncio.wait_for(given_up.wait(), 20)  # the services themselves close it after 75 s
