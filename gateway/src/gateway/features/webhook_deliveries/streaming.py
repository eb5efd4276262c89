"""Events for who fetches them, or follows them as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from crm_kit.db.session import Database, ReadSession
from crm_kit.errors import NotFound

from gateway.features.webhook_deliveries import reading
from gateway.features.webhook_deliveries.reading import Page, Told
from gateway.features.webhook_journal.cursors import Place
from gateway.features.webhook_journal.news import News
from gateway.upstream import ServiceClient, UpstreamUnavailable

_PAGE: Final = 200
_PAUSE_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 10.0
_LONGEST_SECONDS: Final = 3600.0
"""Then an EventSource connects again by itself, with the rights of then."""


async def next_page(session: ReadSession, services: ServiceClient, endpoint_id: str, place: Place, limit: int) -> Page:
    """The next events behind a place. Raises NotFound, UpstreamUnavailable."""
    endpoint = await reading.load(session, endpoint_id)
    if endpoint is None or endpoint.matcher is None:
        raise NotFound
    if place.snapshot is not None:
        return await reading.read_snapshot(services, endpoint.matcher.principal, endpoint, place)
    return await reading.read_journal(session, endpoint.matcher, place, limit)


async def stream(
    database: Database,
    services: ServiceClient,
    tenant_id: str,
    endpoint_id: str,
    place: Place,
    is_ending: Callable[[], bool],
) -> AsyncIterator[bytes]:
    """Until the client goes, this process ends, or an hour is over. Each message's id is the cursor behind it."""
    news, loop = News(tenant_id), asyncio.get_running_loop()
    ends, spoke = loop.time() + _LONGEST_SECONDS, loop.time()
    yield b": here\n\n"
    while loop.time() < ends and not is_ending():
        news.wake.clear()
        try:
            async with database.read(tenant_id) as session:
                page = await next_page(session, services, endpoint_id, place, _PAGE)
        except NotFound:
            return
        except UpstreamUnavailable:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        for one in page.told:
            yield _message(one)
            spoke = loop.time()
        place = page.place
        if not page.is_last:
            continue
        if loop.time() - spoke > _QUIET_SECONDS:
            # A cursor though nothing was meant: who comes back need not be told of all that again.
            yield f"id: {place}\nevent: cursor\ndata:\n\n".encode()
            spoke = loop.time()
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wake.wait(), _PAUSE_SECONDS)


def _message(told: Told) -> bytes:
    return b"id: %s\ndata: %s\n\n" % (told.cursor.encode(), told.body)
