"""Rebuilding the views beside the live ones: the past is stored first, then each view is composed once.

A client may hold a version of a live view as its ETag. A view that says what the live one says keeps that version, and
its document byte for byte; one that says something else gets a greater version.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event
from crm_contracts.types import format_timestamp
from crm_kit.db.models import utc_now
from crm_kit.db.session import Database, WriteSession
from crm_kit.inbox import LIVE_SCHEMA
from sqlalchemy import text

from gateway.features.customers import facts, repository
from gateway.features.customers.compose import Content, compose
from gateway.features.customers.entities import moment
from gateway.features.customers.projection import OF_THE_MAKING, chunks, digest_of, record, sources_of, store
from gateway.features.customers.repository import LiveView, ViewRecord
from gateway.features.customers.search.fields import searched
from gateway.features.customers.search.writing import write_searched

_PAGE: Final = 2000
_AT_ONCE: Final = 3
"""Chunks composed at the same time: while one waits for PostgreSQL, another is composed."""
_MATCHED_AT_ONCE: Final = 500


async def load(session: WriteSession, events: Sequence[Event]) -> None:
    await store(session, events)


_CUSTOMERS = text(
    """
    select tenant_id, id from entity
     where type in ('contact', 'account') and not deleted and (tenant_id, id) > (:tenant_id, :id)
     order by tenant_id, id limit :limit
    """
)
_COUNT = text("select count(*) from entity where type in ('contact', 'account') and not deleted")
# No view had more versions than there were events. A view that the live ones lack may have been there once.
_MORE_THAN_ANY_VERSION = text(
    "select coalesce(sum(next_offset), 0) from consumer_position where consumer = 'gateway.view'"
)


async def complete(owner: Database, app: Database) -> AsyncIterator[tuple[int, int]]:
    """Composes the view of every customer."""
    async with owner.read(None) as session:
        total: int = await session.scalar(_COUNT)
        unused = int(await session.scalar(_MORE_THAN_ANY_VERSION)) + 1
    done, after = 0, {"tenant_id": "", "id": ""}
    while True:
        async with owner.read(None) as session:
            rows = (await session.execute(_CUSTOMERS, {**after, "limit": _PAGE})).all()
        if not rows:
            return
        after = {"tenant_id": rows[-1].tenant_id, "id": rows[-1].id}
        waiting = [
            (tenant_id, chunk)
            for tenant_id, group in groupby(rows, key=lambda row: str(row.tenant_id))
            for chunk in chunks(row.id for row in group)
        ]
        while waiting:
            now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            await asyncio.gather(*(_compose(app, tenant_id, chunk, unused) for tenant_id, chunk in now))
            done += sum(len(chunk) for _, chunk in now)
            yield done, total


async def _compose(app: Database, tenant_id: str, ids: Sequence[str], unused: int) -> None:
    async with app.write(tenant_id) as session:
        live = await repository.live_views(session, ids, LIVE_SCHEMA)
        now = utc_now()
        composed = [(compose(stored.facts), stored.as_of) for stored in await facts.load(session, ids) if stored.known]
        views = [_view(content, as_of, live.get(content["id"]), unused, now) for content, as_of in composed]
        await repository.write_views(session, views, {})
        await write_searched(session, [searched(content) for content, _ in composed])


def _view(
    content: Content, as_of: Mapping[str, datetime], live: LiveView | None, unused: int, now: datetime
) -> ViewRecord:
    """The live view's row again where that says the same; else one with a version that nobody has seen."""
    digest = digest_of(content, as_of)
    if live is None:
        return record(content, max(as_of.values()), digest, unused, sources_of(as_of, {}, now))
    if _tells_of(live.sources, as_of):
        same = record(content, live.as_of, digest, live.version, live.sources)
        if hashlib.sha256(same.doc).digest() == live.doc_hash:
            return same
        return record(content, max(as_of.values()), digest, live.version + 1, sources_of(as_of, live.sources, now))
    return record(content, max(as_of.values()), digest, live.version + 1, sources_of(as_of, {}, now))


def _tells_of(sources: Any, as_of: Mapping[str, datetime]) -> bool:
    """Whether these sources are as new as those times, or newer.

    Newer is right where compaction has removed the last that was known of a deleted entity.
    """
    try:
        return all(moment(sources[service]["as_of"]) >= moment(format_timestamp(at)) for service, at in as_of.items())
    except (KeyError, TypeError, ValueError):
        return False


_UNLIKE = text(
    f"""
    select r.tenant_id, r.id, r.as_of, r.doc, cast(r.sources as text) as sources,
           l.version as live_version, l.as_of as live_as_of, l.doc as live_doc, cast(l.sources as text) as live_sources
      from customer_view r join {LIVE_SCHEMA}.customer_view l using (tenant_id, id)
     where (tenant_id, id) > (:tenant_id, :id)
       and case when r.digest = l.digest
                then r.version <> l.version or cast(r.sources as text) <> cast(l.sources as text)
                else r.version <= l.version and r.doc <> l.doc end
     order by tenant_id, id limit :limit
    """  # noqa: S608  # a constant
)
_MATCH = text(
    """
    update customer_view v
       set version = g.version, as_of = g.as_of, doc = g.doc, sources = cast(g.sources as json)
      from unnest(cast(:tenant_id as text[]), cast(:id as text[]), cast(:version as bigint[]),
                  cast(:as_of as timestamptz[]), cast(:doc as bytea[]), cast(:sources as text[]))
        as g(tenant_id, id, version, as_of, doc, sources)
     where v.tenant_id = g.tenant_id and v.id = g.id
    """
)


async def match(session: WriteSession) -> None:
    """Views that changed while the others were composed: what says the same takes the live version over."""
    after = {"tenant_id": "", "id": ""}
    while rows := (await session.execute(_UNLIKE, {**after, "limit": _MATCHED_AT_ONCE})).all():
        after = {"tenant_id": rows[-1].tenant_id, "id": rows[-1].id}
        matched = [_matched(row) for row in rows]
        columns = ("tenant_id", "id", "version", "as_of", "doc", "sources")
        await session.execute(_MATCH, dict(zip(columns, map(list, zip(*matched, strict=True)), strict=True)))


def _matched(row: Any) -> tuple[str, str, int, datetime, bytes, str]:
    if _says(row.live_doc) == _says(row.doc) and row.as_of <= row.live_as_of:
        return row.tenant_id, row.id, row.live_version, row.live_as_of, row.live_doc, row.live_sources
    version = row.live_version + 1
    document = orjson.dumps({**orjson.loads(row.doc), "version": version})
    return row.tenant_id, row.id, version, row.as_of, document, row.sources


def _says(document: bytes) -> Any:
    """The document without what tells of its making; None for none."""
    try:
        return {name: value for name, value in orjson.loads(document).items() if name not in OF_THE_MAKING}
    except (AttributeError, ValueError):
        return None
