"""Keeps the customer views up to date: from a batch of events to new documents.

Order matters: entities first, then locks on the customers they touch, then the facts. Of two processes that apply
events of one customer at the same time, the second composes from what both have written.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import prefix_of
from crm_contracts.types import format_timestamp
from crm_kit.db.locks import lock_keys
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession

from gateway.features.customers import facts, repository
from gateway.features.customers.compose import Content, compose, customer_name
from gateway.features.customers.entities import newest_states
from gateway.features.customers.keys import keys_of
from gateway.features.customers.repository import Change, KnownView, ViewRecord
from gateway.features.customers.search.fields import Searched, searched
from gateway.features.customers.search.fields import digest_of as search_digest_of
from gateway.features.customers.search.writing import delete_searched, write_numbers, write_searched
from gateway.features.customers.timeline import entries_of
from gateway.upstream import SERVICES

_CHUNK: Final = 200
_WEIGHT: Final = {"contact": 1, "account": 10}
"""Customers whose facts are loaded at once; an account brings its contacts."""

_LOCKS: Final = 256
"""Customers share so many locks: one each could be more than PostgreSQL's lock table holds."""


OF_THE_MAKING: Final = ("version", "as_of", "sources")
"""Members of a view that tell when and how it was made, not of the customer."""


async def project(session: WriteSession, events: Sequence[Event]) -> None:
    """Applies events of one tenant. Events that are not newer than what is stored change nothing."""
    changes = await store(session, events)
    if changes:
        await refresh_touched(session, Touched.by(changes))


@dataclass(frozen=True, slots=True)
class Touched:
    """Customers of whom something has changed.

    `renamed`: the accounts whose contacts show them too. `unplaced`: the contacts of whom it is not known by the changes whose
    they are; the accounts of the others, which this transaction has written, are among `accounts`.
    """

    contacts: frozenset[str]
    accounts: frozenset[str]
    renamed: frozenset[str]
    unplaced: frozenset[str]

    @classmethod
    def by(cls, changes: Iterable[Change]) -> Self:
        """Raises ValueError for a reference that can be no customer's."""
        changes = list(changes)
        contacts = frozenset[str]().union(*(change.contact_ids for change in changes))
        accounts = frozenset[str]().union(*(change.account_ids for change in changes))
        if strangers := [one for one in contacts | accounts if prefix_of(one) not in _WEIGHT]:
            raise ValueError(f"not the id of a customer: {min(strangers)[:100]}")
        return cls(
            contacts,
            accounts,
            frozenset(change.id for change in changes if change.type == "account"),
            contacts - {change.id for change in changes if change.type == "contact"},
        )

    async def related(self, session: ReadSession) -> set[str]:
        """Who shows something of these beside themselves: accounts of contacts, contacts of accounts."""
        if not self.unplaced and not self.renamed:
            return set()
        return await repository.related_customers(session, sorted(self.unplaced), sorted(self.renamed))


async def store(session: WriteSession, events: Sequence[Event]) -> list[Change]:
    """Keeps the entities and their timeline entries, and says which have changed; views stay as they are."""
    states = newest_states(events)
    changes = await repository.write_entities(session, states)
    if not changes:
        return []
    changed = {change.id for change in changes}
    written = [state for state in states if state.id in changed]
    entries = {state.id: entries_of(state.type, state.data) if state.data is not None else [] for state in written}
    await repository.replace_entries(session, written, entries)
    await write_numbers(session, written)
    return changes


async def refresh_touched(session: WriteSession, touched: Touched) -> None:
    """Composes the views of all customers that show something of these anew, and stores those that differ."""
    await refresh(session, await _lock_affected(session, touched))


async def refresh(session: WriteSession, customer_ids: Iterable[str]) -> None:
    """As `refresh_touched`, of these customers alone; the caller holds their locks."""
    for chunk in chunks(sorted(customer_ids)):
        await _refresh_chunk(session, chunk)


def chunks(customer_ids: Iterable[str]) -> Iterator[list[str]]:
    """As many customers at a time as are composed at once."""
    chunk: list[str] = []
    weight = 0
    for customer_id in customer_ids:
        weight += _WEIGHT[prefix_of(customer_id) or ""]
        chunk.append(customer_id)
        if weight >= _CHUNK:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


async def _lock_affected(session: WriteSession, touched: Touched) -> set[str]:
    """The customers that show something of what was touched, locked until the transaction ends.

    Whose a contact is may change while its lock is waited for, so the question is asked until its answer stays.
    """
    locked: set[str] = set()
    affected: set[str] = {*touched.contacts, *touched.accounts}
    while True:
        affected |= await touched.related(session)
        if affected <= locked:
            return locked
        await lock_customers(session, affected - locked)
        locked |= affected


async def lock_customers(session: WriteSession, customer_ids: Iterable[str]) -> None:
    """Nobody else composes these customers' views until the transaction ends."""
    await lock_keys(session, "customer", {str(zlib.crc32(one.encode()) % _LOCKS) for one in customer_ids})


async def _refresh_chunk(session: WriteSession, ids: Sequence[str]) -> None:
    known = await repository.known_views(session, ids)
    gone: list[str] = []
    views: list[ViewRecord] = []
    found_by: list[Searched] = []
    now = utc_now()
    for customer_id, stored in zip(ids, await facts.load(session, ids), strict=True):
        if not stored.known:
            gone.append(customer_id)
            continue
        before = known.get(customer_id)
        content = compose(stored.facts)
        if view := _view(content, stored.as_of, before, now):
            views.append(view)
        if before is None or before.searched != search_digest_of(content):
            found_by.append(searched(content))
    await repository.write_views(session, views, known)
    await write_searched(session, found_by)
    await repository.delete_views(session, [one for one in gone if one in known])
    await delete_searched(session, [one for one in gone if one in known])


def _view(content: Content, as_of: Mapping[str, datetime], known: KnownView | None, now: datetime) -> ViewRecord | None:
    """The row, or None where what is known says the same."""
    digest = digest_of(content, as_of)
    if known is not None and known.digest == digest:
        return None
    version = known.version + 1 if known else 1
    sources = sources_of(as_of, known.sources if known else {}, now)
    return record(content, max(as_of.values()), digest, version, sources)


def digest_of(content: Content, as_of: Mapping[str, datetime]) -> bytes:
    """Of all that makes a view's version."""
    times = {service: as_of.get(service) for service in SERVICES}
    return hashlib.blake2b(orjson.dumps([content, times]), digest_size=16).digest()


def record(content: Content, as_of: datetime, digest: bytes, version: int, sources: Mapping[str, Any]) -> ViewRecord:
    """The row of a view, with its document."""
    document = finish(content, version=version, as_of=as_of, sources=sources)
    return ViewRecord(
        id=content["id"],
        kind=content["kind"],
        name=customer_name(content["profile"]),
        version=version,
        as_of=as_of,
        doc=orjson.dumps(document),
        digest=digest,
        sources=orjson.dumps(sources).decode(),
        keys=keys_of(content["identities"]),
    )


def sources_of(as_of: Mapping[str, datetime], known: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """How far behind its source each part of the view was when it was brought up to date."""
    sources: dict[str, Any] = {}
    for service in SERVICES:
        time = as_of.get(service)
        at = format_timestamp(time) if time else None
        if time and known.get(service, {}).get("as_of") != at:
            sources[service] = {"as_of": at, "lag_ms": max(0, round((now - time).total_seconds() * 1000))}
        else:
            sources[service] = known.get(service, {"as_of": None, "lag_ms": None})
    return sources


def finish(content: Content, *, version: int, as_of: datetime, sources: Mapping[str, Any]) -> Content:
    """The whole document."""
    head = {
        "id": content["id"],
        "kind": content["kind"],
        "version": version,
        "as_of": format_timestamp(as_of),
    }
    return {**head, **content, "sources": dict(sources)}
