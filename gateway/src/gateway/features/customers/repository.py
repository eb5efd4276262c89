"""The statements that write entities, timelines and views, and those that look views up.

Every one takes a whole batch: the number of statements does not depend on the number of events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import TextClause, select, text

from gateway.features.customers.entities import EntityState, Json
from gateway.features.customers.models import CustomerViewRow, EntityCopy
from gateway.features.customers.timeline import Entry

_UPSERT_ENTITIES = Sql(
    """
    with given as (
        select * from unnest(
            cast(:id as text[]), cast(:type as text[]), cast(:service as text[]), cast(:version as bigint[]),
            cast(:deleted as boolean[]), cast(:time as timestamptz[]), cast(:contact_id as text[]),
            cast(:account_id as text[]), cast(:created_at as timestamptz[]), cast(:at as timestamptz[]),
            cast(:status as text[]), cast(:open as boolean[]), cast(:amount as numeric[]), cast(:currency as text[]),
            cast(:data as text[]))
          as g(id, type, service, version, deleted, time, contact_id, account_id, created_at, at, status, open, amount,
               currency, data))
    insert into entity as e (tenant_id, id, type, service, version, deleted, time, contact_id, account_id,
                             created_at, at, status, open, amount, currency, data)
    select :tenant_id, id, type, service, version, deleted, time, contact_id, account_id,
           created_at, at, status, open, amount, currency, cast(data as json)
      from given order by id
    on conflict (tenant_id, id) do update set
        version = excluded.version, deleted = excluded.deleted, time = excluded.time,
        -- A tombstone does not say whose the entity was: what is known stays.
        contact_id = case when excluded.deleted then coalesce(excluded.contact_id, e.contact_id)
                          else excluded.contact_id end,
        account_id = case when excluded.deleted then coalesce(excluded.account_id, e.account_id)
                          else excluded.account_id end,
        created_at = excluded.created_at, at = excluded.at, status = excluded.status, open = excluded.open,
        amount = excluded.amount, currency = excluded.currency, data = excluded.data
     where (e.version, e.deleted) < (excluded.version, excluded.deleted)
    -- Of the very row that was overwritten: a look at it before might see an older one.
    returning e.id, e.type, e.contact_id, e.account_id,
              old.contact_id as old_contact_id, old.account_id as old_account_id
    """
)


@dataclass(frozen=True, slots=True)
class Change:
    """An entity that a batch has changed, and whose it is and was."""

    id: str
    type: str
    contact_ids: frozenset[str]
    account_ids: frozenset[str]


ENTITY_COLUMNS: Final = (
    "id type service version deleted time contact_id account_id created_at at status open amount currency".split()
)


async def write_entities(session: WriteSession, states: Sequence[EntityState]) -> list[Change]:
    """Stores the states that are newer than what is stored, and says which they were."""
    values: dict[str, Any] = {column: [getattr(state, column) for state in states] for column in ENTITY_COLUMNS}
    values |= {"data": [state.json for state in states], "tenant_id": session.tenant_id}
    rows = await session.fetch(_UPSERT_ENTITIES, values)
    return [
        Change(
            row["id"],
            row["type"],
            frozenset(filter(None, (row["contact_id"], row["old_contact_id"]))),
            frozenset(filter(None, (row["account_id"], row["old_account_id"]))),
        )
        for row in rows
    ]


# Joined, so that the old ones are gone before.
_REPLACE_ENTRIES = Sql(
    """
    with gone as (delete from timeline_entry where entity_id = any(:ids) returning 1)
    insert into timeline_entry (tenant_id, entity_id, n, entry_id, contact_id, account_id, at, kind, source, entry)
    select :tenant_id, entity_id, n, entry_id, contact_id, account_id, at, kind, source, cast(entry as json)
      from unnest(cast(:entity_id as text[]), cast(:n as int[]), cast(:entry_id as text[]),
                  cast(:contact_id as text[]), cast(:account_id as text[]), cast(:at as timestamptz[]),
                  cast(:kind as text[]), cast(:source as text[]), cast(:entry as text[]))
        as g(entity_id, n, entry_id, contact_id, account_id, at, kind, source, entry)
      join (select count(*) from gone) as old on true
    """
)


async def replace_entries(
    session: WriteSession, states: Iterable[EntityState], entries: Mapping[str, Sequence[Entry]]
) -> None:
    """Gives each of the entities exactly these timeline entries."""
    rows = [(state, n, entry) for state in states for n, entry in enumerate(entries[state.id])]
    values = {
        "ids": sorted(entries),
        "tenant_id": session.tenant_id,
        "entity_id": [state.id for state, _, _ in rows],
        "n": [n for _, n, _ in rows],
        "entry_id": [entry.id for _, _, entry in rows],
        "contact_id": [state.contact_id for state, _, _ in rows],
        "account_id": [state.entries_account_id for state, _, _ in rows],
        "at": [entry.moment for _, _, entry in rows],
        "kind": [entry.kind for _, _, entry in rows],
        "source": [entry.source for _, _, entry in rows],
        "entry": [orjson.dumps(entry.json()).decode() for _, _, entry in rows],
    }
    await session.fetch(_REPLACE_ENTRIES, values)


# Fenced, as the statements in facts.py are.
_RELATED = Sql(
    """
    select e.account_id as id
      from unnest(cast(:contacts as text[])) as c(id)
     cross join lateral (select account_id from entity where id = c.id and not deleted offset 0) e
     where e.account_id is not null
    union
    select e.id
      from unnest(cast(:accounts as text[])) as a(id)
     cross join lateral (
           select id from entity where account_id = a.id and type = 'contact' and not deleted offset 0) e
    """
)


async def related_customers(session: ReadSession, contacts: Sequence[str], accounts: Sequence[str]) -> set[str]:
    """The accounts of these contacts, and the contacts of these accounts."""
    return {row["id"] for row in await session.fetch(_RELATED, {"contacts": contacts, "accounts": accounts})}


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """A row of customer_view without its tenant."""

    id: str
    kind: str
    name: str | None
    version: int
    as_of: datetime
    doc: bytes
    digest: bytes
    sources: str
    keys: list[str]


@dataclass(frozen=True, slots=True)
class KnownView:
    version: int
    digest: bytes
    sources: Any
    keys: list[str]
    searched: bytes | None
    """The digest of what is kept to be searched."""


_KNOWN_VIEWS = Sql(
    """
    select v.id, v.version, v.digest, v.sources, v.keys, s.digest as searched
      from customer_view v left join customer_search s on s.id = v.id where v.id = any(:ids)
    """
)
_DELETE_VIEWS = Sql("delete from customer_view where id = any(:ids)")
_DELETE_KEYS = Sql("delete from customer_key where customer_id = any(:ids)")
_UPSERT_VIEWS = Sql(
    """
    with found_by as (
        insert into customer_key (tenant_id, customer_id, key)
        select :tenant_id, * from unnest(cast(:of as text[]), cast(:key as text[])) on conflict do nothing)
    insert into customer_view (tenant_id, id, kind, name, version, as_of, doc, digest, sources, keys)
    select :tenant_id, id, kind, name, version, as_of, doc, digest, cast(sources as json),
           array(select json_array_elements_text(cast(keys as json)))
      from unnest(cast(:id as text[]), cast(:kind as text[]), cast(:name as text[]), cast(:version as bigint[]),
                  cast(:as_of as timestamptz[]), cast(:doc as bytea[]), cast(:digest as bytea[]),
                  cast(:sources as text[]), cast(:keys as text[]))
        as g(id, kind, name, version, as_of, doc, digest, sources, keys)
    on conflict (tenant_id, id) do update set
        kind = excluded.kind, name = excluded.name, version = excluded.version, as_of = excluded.as_of,
        doc = excluded.doc, digest = excluded.digest, sources = excluded.sources, keys = excluded.keys
    """
)


_KNOWN: Final = ("version", "digest", "sources", "keys", "searched")


async def known_views(session: ReadSession, ids: Sequence[str]) -> dict[str, KnownView]:
    rows = await session.fetch(_KNOWN_VIEWS, {"ids": ids})
    return {row["id"]: KnownView(*(row[name] for name in _KNOWN)) for row in rows}


@dataclass(frozen=True, slots=True)
class LiveView:
    """What a rebuild must know of a live view. `doc_hash` is SHA-256."""

    version: int
    as_of: datetime
    sources: Any
    doc_hash: bytes


async def live_views(session: ReadSession, ids: Sequence[str], schema: str) -> dict[str, LiveView]:
    """The views in this schema, which need not be the one that other statements find first."""
    statement = (
        f"select id, version, as_of, sources, sha256(doc) as doc_hash from {schema}.customer_view where id = any(:ids)"  # noqa: S608  # a constant
    )
    rows = await session.execute(text(statement), {"ids": ids})
    return {row.id: LiveView(row.version, row.as_of, row.sources, row.doc_hash) for row in rows}


async def write_views(session: WriteSession, views: Sequence[ViewRecord], known: Mapping[str, KnownView]) -> None:
    """Stores new and changed views, and their keys where those have changed."""
    if not views:
        return
    moved = [view for view in views if view.id not in known or known[view.id].keys != view.keys]
    if had := [view.id for view in moved if view.id in known]:
        await session.fetch(_DELETE_KEYS, {"ids": had})
    columns = ("id", "kind", "name", "version", "as_of", "doc", "digest", "sources")
    values: dict[str, Any] = {column: [getattr(view, column) for view in views] for column in columns}
    values |= {"keys": [orjson.dumps(view.keys).decode() for view in views], "tenant_id": session.tenant_id}
    found_by = [(view.id, key) for view in moved for key in view.keys]
    values |= {"of": [one for one, _ in found_by], "key": [key for _, key in found_by]}
    await session.fetch(_UPSERT_VIEWS, values)


async def delete_views(session: WriteSession, ids: Sequence[str]) -> None:
    if ids:
        await session.fetch(_DELETE_VIEWS, {"ids": ids})
        await session.fetch(_DELETE_KEYS, {"ids": ids})


_REACHED = Sql(
    """
    select count(*) as reached from unnest(cast(:ids as text[]), cast(:versions as bigint[])) as wanted(id, version)
      join entity e on e.id = wanted.id and e.version >= wanted.version
    """
)


async def has_reached(session: ReadSession, versions: Mapping[str, int]) -> bool:
    """Whether the copies of all these entities are at these versions or newer."""
    [found] = await session.fetch(_REACHED, {"ids": list(versions), "versions": list(versions.values())})
    return bool(found["reached"] == len(versions))


_TELLS = Sql(
    """
    select exists (select from entity where id = any(:ids) and data is not null)
        or exists (select from entity where contact_id = any(:ids) and data is not null
                    and type <> 'privacy_request' and (type <> 'message' or data->>'address' is not null))
        or exists (select from customer_view where id = any(:ids))
        or exists (select from customer_search where id = any(:ids))
        or exists (select from search_number where contact_id = any(:ids)) as tells
    """
)


async def tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    """Whether something of these persons is still here. What a campaign sent them stays, without the address."""
    return bool((await session.fetch(_TELLS, {"ids": list(contact_ids)}))[0]["tells"])


_FIND = text(
    """
    select v.id, v.kind, v.name, v.version, v.doc
      from customer_key k join customer_view v on v.id = k.customer_id
     where k.key = :key order by v.id limit :limit
    """
)


async def find_by_key(session: ReadSession, key: str, limit: int) -> Sequence[Any]:
    return (await session.execute(_FIND, {"key": key, "limit": limit})).all()


_view, _entity = columns(CustomerViewRow), columns(EntityCopy)
_PROFILE = select(_entity.data).join_from(CustomerViewRow, EntityCopy, _view.id == _entity.id)


_CONTACT_IDS = text(
    "select id from entity where account_id = :id and type = 'contact' and not deleted order by id limit :limit"
)


async def profile_of(session: ReadSession, customer_id: str) -> Json | None:
    """Of the customer whose view this is; None where there is none."""
    found: Json | None = await session.scalar(_PROFILE.where(_view.id == customer_id))
    return found


async def contact_ids_of(session: ReadSession, account_id: str, limit: int) -> list[str]:
    return list(await session.scalars(_CONTACT_IDS, {"id": account_id, "limit": limit}))


def _timeline(owner: str, *, paged: bool) -> str:
    after = "and (at, entry_id) < (cast(:at as timestamptz), :entry_id)" if paged else ""
    return f"""
        select entity_id, n, at, entry_id, entry from timeline_entry
         where {owner} = s.{owner} {after}
           and (cast(:kinds as text[]) is null or kind = any(:kinds) or split_part(kind, '.', 1) = any(:kinds))
           and (:own or kind not like 'consent.%')
         order by at desc, entry_id desc limit :limit
    """  # noqa: S608  # constants of this module


def _timeline_statement(*, paged: bool) -> TextClause:
    return text(
        f"""
        with scope as (
            select c as contact_id, cast(null as text) as account_id from unnest(cast(:contacts as text[])) as c
            union all select null, cast(:account as text) where :account is not null)
        select at, entry_id, cast(entry as text) as entry from (
            select t.at, t.entry_id, t.entity_id, t.n, cast(t.entry as text) as entry
              from scope s cross join lateral ({_timeline("contact_id", paged=paged)}) t
            union
            select t.at, t.entry_id, t.entity_id, t.n, cast(t.entry as text)
              from scope s cross join lateral ({_timeline("account_id", paged=paged)}) t) as found
         order by at desc, entry_id desc limit :limit
        """  # noqa: S608  # constants of this module
    )


_TIMELINE = {paged: _timeline_statement(paged=paged) for paged in (False, True)}


async def timeline_page(
    session: ReadSession,
    *,
    contact_ids: Sequence[str],
    account_id: str | None,
    kinds: Sequence[str] | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Any]:
    """Entries newest first, after (`at`, `entry_id`). An account's has no consents: those are each contact's own."""
    values: dict[str, Any] = {
        "contacts": contact_ids,
        "account": account_id,
        "kinds": kinds,
        "own": account_id is None,
        "limit": limit,
    }
    if after is not None:
        values |= {"at": after[0], "entry_id": after[1]}
    return (await session.execute(_TIMELINE[after is not None], values)).all()
