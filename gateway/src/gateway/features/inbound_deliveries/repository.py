"""Every statement on deliveries, payloads, what was applied and what is held."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

from gateway.features.inbound_deliveries.accepting import Sent, as_rows

AppliedKey = tuple[str, str]
"""Resource and key of what was applied."""

Applied = tuple[str | None, Any]
"""`record_id` and `said`."""

LEASE: Final = timedelta(seconds=30)
"""So long after a crash another process goes on with what was being worked on."""

# From one source that has something due to the next, each by one look at the index.
_DUE: Final = Sql(
    "with recursive due(tenant_id, source_id) as ("
    " (select d.tenant_id, d.source_id from inbound_delivery d where d.due_at <= clock_timestamp()"
    " order by d.tenant_id, d.source_id limit 1)"
    " union all select n.tenant_id, n.source_id from due, lateral ("
    " select d.tenant_id, d.source_id from inbound_delivery d"
    " where (d.tenant_id, d.source_id) > (due.tenant_id, due.source_id) and d.due_at <= clock_timestamp()"
    " order by d.tenant_id, d.source_id limit 1) n)"
    " select tenant_id, source_id from due"
    " where not exists (select from tenant_state s where s.tenant_id = due.tenant_id) limit 1000"
)
# From one tenant to the next, in the same way.
EACH_TENANT: Final = (
    "recursive found(tenant_id) as ((select min(tenant_id) from inbound_delivery) union all"
    " select (select min(d.tenant_id) from inbound_delivery d where d.tenant_id > found.tenant_id) from found"
    " where found.tenant_id is not null)"
)
"""Of a `with`: those that have any, and a null."""

_TENANTS: Final = Sql(f"with {EACH_TENANT} select tenant_id from found where tenant_id is not null")  # noqa: S608  # of our own
_CLAIM: Final = Sql(
    "with mine as materialized (select id from inbound_delivery where source_id = :source_id"
    " and due_at <= clock_timestamp() order by due_at, id limit cast(:most as int) for update skip locked),"
    " taken as (update inbound_delivery d set due_at = clock_timestamp() + cast(:lease as interval), attempts = attempts + 1"
    " from mine where d.id = mine.id returning d.*)"
    " select t.*, p.content_type, p.headers, p.body from taken t"
    " left join inbound_payload p on p.tenant_id = t.tenant_id and p.id = t.id order by t.created_at, t.id"
)
_HOLD: Final = Sql(
    "insert into inbound_hold as h (tenant_id, key, delivery_id, until)"
    " select :tenant_id, k, :delivery_id, clock_timestamp() + cast(:lease as interval)"
    " from unnest(cast(:keys as text[])) as k order by k"
    " on conflict (tenant_id, key) do update set delivery_id = excluded.delivery_id, until = excluded.until"
    " where h.until < clock_timestamp() or h.delivery_id = excluded.delivery_id returning key"
)
_RELEASE: Final = Sql("delete from inbound_hold where delivery_id = :delivery_id")
_LATER: Final = Sql(
    "update inbound_delivery set due_at = clock_timestamp() + cast(:pause as interval),"
    " attempts = attempts - cast(:uncounted as int), reason = coalesce(:reason, reason)"
    " where id = :id and due_at is not null"
)
_APPLIED: Final = Sql(
    "select a.resource, a.key, a.record_id, a.said from inbound_applied a"
    " join unnest(cast(:resources as text[]), cast(:keys as text[])) as w (resource, key)"
    " on a.resource = w.resource and a.key = w.key where a.source_id = :source_id"
)
_APPLY: Final = Sql(
    "insert into inbound_applied (tenant_id, source_id, resource, key, record_id, said, updated_at)"
    " select :tenant_id, :source_id, r.resource, r.key, r.record_id, r.said, clock_timestamp()"
    " from jsonb_to_recordset(cast(:rows as text)::jsonb)"
    " as r (resource text, key text, record_id text, said jsonb) order by 3, 4"
    " on conflict (tenant_id, source_id, resource, key) do update"
    " set record_id = excluded.record_id, said = excluded.said, updated_at = excluded.updated_at"
)
_GONE: Final = Sql("select exists (select from entity where id = :id and deleted) as gone")
_PAYLOAD: Final = Sql("select content_type, headers, body from inbound_payload where id = :id")
_FORGET_PAYLOAD: Final = Sql("delete from inbound_payload where id = :id")
_RERUN: Final = Sql(
    "with which as (select id from inbound_delivery where source_id = :source_id and status = 'parked'"
    " and (cast(:reason as text) is null or reason = :reason) and (cast(:topic as text) is null or topic = :topic)"
    " order by created_at, id limit cast(:most as int) for update skip locked)"
    " update inbound_delivery d set status = 'received', runs = runs + 1, attempts = 0, written = 0, planned = null,"
    " reason = null, detail = null, faults = '[]'::jsonb, due_at = clock_timestamp(), processed_at = null,"
    " version = version + 1, updated_at = clock_timestamp() from which where d.id = which.id returning d.id"
)
_EXPIRED: Final = Sql(
    "with old as (select id from inbound_delivery where created_at < clock_timestamp() - cast(:kept as interval)"
    " order by created_at, id limit cast(:most as int) for update skip locked),"
    " payloads as (delete from inbound_payload p using old where p.id = old.id)"
    " delete from inbound_delivery d using old where d.id = old.id returning d.id"
)
_FORGOTTEN_HOLDS: Final = Sql("delete from inbound_hold where until < clock_timestamp() - interval '1 hour'")
_TELLS: Final = Sql(
    "select exists (select from inbound_delivery d join inbound_payload p on p.tenant_id = d.tenant_id and p.id = d.id"
    " where d.contact_ids && cast(:ids as text[])) as found"
)
_ERASE: Final = Sql(
    "with theirs as (select id, contact_ids from inbound_delivery where contact_ids && cast(:ids as text[])"
    " order by id for update),"
    " payloads as (delete from inbound_payload p using theirs where p.id = theirs.id),"
    " applied as (delete from inbound_applied a where a.record_id = any(cast(:ids as text[])))"
    " update inbound_delivery d set external_id = null, sender_id = null, detail = null, faults = '[]'::jsonb,"
    " refs = '[]'::jsonb, contact_ids = '{}', due_at = null, version = version + 1, updated_at = clock_timestamp(),"
    " status = case when status in ('received', 'parked') then 'ignored' else status end,"
    " reason = case when status in ('received', 'parked') then 'erased' else reason end"
    " from theirs where d.id = theirs.id returning theirs.contact_ids"
)
_OF_PERSONS: Final = Sql(
    "select d.id, d.topic, d.created_at, p.content_type, p.body from inbound_delivery d"
    " join inbound_payload p on p.tenant_id = d.tenant_id and p.id = d.id"
    " where d.contact_ids && cast(:ids as text[]) and d.id > :after order by d.id limit 50"
)


_FETCHED: Final = Sql(
    "select count(*) filter (where is_new) as stored from accept_inbound(:tenant_id, :sent, cast(:bodies as bytea[]))"
)
_WAITING: Final = Sql(
    "select count(*) as waiting from (select from inbound_delivery where source_id = :source_id"
    " and due_at <= clock_timestamp() limit cast(:most as int)) d"
)
_OUTCOMES: Final = Sql(
    "select status, count(*) as count, bool_or(due_at is not null) as is_open from inbound_delivery"
    " where backfill_id = :backfill_id group by status"
)
_DIGEST_KEY: Final = Sql("select sealed from inbound_digest_key where tenant_id = :tenant_id")
_KEEP_DIGEST_KEY: Final = Sql(
    "insert into inbound_digest_key (tenant_id, sealed) values (:tenant_id, :sealed) on conflict do nothing"
)
_HAS_APPLIED: Final = Sql("select exists (select from inbound_applied where tenant_id = :tenant_id) as found")


async def digest_key(session: ReadSession) -> bytes | None:
    rows = await session.fetch(_DIGEST_KEY, {"tenant_id": session.tenant_id})
    return rows[0]["sealed"] if rows else None


async def keep_digest_key(session: WriteSession, sealed: bytes) -> None:
    """Unless there is one."""
    await session.fetch(_KEEP_DIGEST_KEY, {"tenant_id": session.tenant_id, "sealed": sealed})


async def has_applied(session: ReadSession) -> bool:
    [row] = await session.fetch(_HAS_APPLIED, {"tenant_id": session.tenant_id})
    return bool(row["found"])


async def store_fetched(session: WriteSession, sent: Sequence[Sent]) -> int:
    """As if they had been sent, within the transaction; how many were not there already."""
    values = {"tenant_id": session.tenant_id, "sent": as_rows(sent), "bodies": [one.body for one in sent]}
    return int((await session.fetch(_FETCHED, values))[0]["stored"])


async def waiting(session: ReadSession, source_id: str, most: int) -> int:
    """How many of a source's deliveries nobody has begun yet; no more than `most` are counted."""
    return int((await session.fetch(_WAITING, {"source_id": source_id, "most": most}))[0]["waiting"])


async def outcomes(session: ReadSession, backfill_id: str) -> tuple[dict[str, int], bool]:
    """Of what a run has fetched, how many there are by status, and whether one of them is still to be looked at."""
    rows = await session.fetch(_OUTCOMES, {"backfill_id": backfill_id})
    return {row["status"]: int(row["count"]) for row in rows}, any(row["is_open"] for row in rows)


async def due_sources(session: ReadSession) -> list[tuple[str, str]]:
    """Tenant and source, of all tenants, with something to do now: for the system role."""
    return [(row["tenant_id"], row["source_id"]) for row in await session.fetch(_DUE, {})]


async def tenants(session: ReadSession) -> list[str]:
    """Those that have any: for the system role."""
    return [row["tenant_id"] for row in await session.fetch(_TENANTS, {})]


async def claim(session: WriteSession, source_id: str, most: int) -> list[dict[str, Any]]:
    """The deliveries that have been due longest, which nobody else begins until the lease is over."""
    values = {"source_id": source_id, "most": most, "lease": LEASE}
    return [_decoded(row) for row in await session.fetch(_CLAIM, values)]


def _decoded(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON columns come as text, past SQLAlchemy."""
    found = dict(row)
    for name in ("faults", "refs", "headers"):
        if isinstance(found[name], str):
            found[name] = orjson.loads(found[name])
    return found


async def hold(session: WriteSession, delivery_id: str, keys: Sequence[str]) -> bool:
    """Whether nobody else works on any of these until the lease is over, or the delivery is."""
    values = {"tenant_id": session.tenant_id, "delivery_id": delivery_id, "keys": sorted(keys), "lease": LEASE}
    held = await session.fetch(_HOLD, values)
    if len(held) == len(set(keys)):
        return True
    await release(session, delivery_id)
    return False


async def release(session: WriteSession, delivery_id: str) -> None:
    await session.fetch(_RELEASE, {"delivery_id": delivery_id})


async def put_off(
    session: WriteSession, delivery_id: str, pause: timedelta, *, reason: str | None = None, counted: bool = True
) -> None:
    values = {"id": delivery_id, "pause": pause, "reason": reason, "uncounted": 0 if counted else 1}
    await session.fetch(_LATER, values)


async def applied(session: ReadSession, source_id: str, which: Collection[AppliedKey]) -> dict[AppliedKey, Applied]:
    """Of each that was asked for: `record_id` and `said`; None, None where nothing was applied."""
    if not which:
        return {}
    resources, keys = zip(*which, strict=True)
    rows = await session.fetch(_APPLIED, {"source_id": source_id, "resources": list(resources), "keys": list(keys)})
    found: dict[AppliedKey, Applied] = dict.fromkeys(which, (None, None))
    for row in rows:
        said = orjson.loads(row["said"]) if isinstance(row["said"], str) else row["said"]
        found[row["resource"], row["key"]] = (row["record_id"], said)
    return found


async def apply(session: WriteSession, source_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        text = orjson.dumps(list(rows)).decode()
        await session.fetch(_APPLY, {"tenant_id": session.tenant_id, "source_id": source_id, "rows": text})


async def is_gone(session: ReadSession, contact_id: str) -> bool:
    """By the gateway's copy: deleted, erased, or merged into another."""
    return bool((await session.fetch(_GONE, {"id": contact_id}))[0]["gone"])


async def payload(session: ReadSession, delivery_id: str) -> dict[str, Any] | None:
    rows = await session.fetch(_PAYLOAD, {"id": delivery_id})
    if not rows:
        return None
    found = dict(rows[0])
    if isinstance(found["headers"], str):
        found["headers"] = orjson.loads(found["headers"])
    return found


async def forget_payload(session: WriteSession, delivery_id: str) -> None:
    """Of whoever was erased nothing is kept that no later erasure would find."""
    await session.fetch(_FORGET_PAYLOAD, {"id": delivery_id})


async def rerun(session: WriteSession, source_id: str, reason: str | None, topic: str | None, most: int) -> list[str]:
    values = {"source_id": source_id, "reason": reason, "topic": topic, "most": most}
    return [row["id"] for row in await session.fetch(_RERUN, values)]


async def forget_expired(session: WriteSession, kept: timedelta, most: int) -> int:
    """How many of the oldest deliveries went."""
    await session.fetch(_FORGOTTEN_HOLDS, {})
    return len(await session.fetch(_EXPIRED, {"kept": kept, "most": most}))


async def tells_of(session: ReadSession, contact_ids: Sequence[str]) -> bool:
    rows = await session.fetch(_TELLS, {"ids": list(contact_ids)})
    return bool(rows[0]["found"])


async def erase(session: WriteSession, contact_ids: Sequence[str]) -> dict[str, int]:
    """Takes what was sent about persons away; of whom how many deliveries there were."""
    counts: dict[str, int] = {}
    for row in await session.fetch(_ERASE, {"ids": list(contact_ids)}):
        for contact_id in row["contact_ids"]:
            if contact_id in contact_ids:
                counts[contact_id] = counts.get(contact_id, 0) + 1
    return counts


async def page_of_persons(session: ReadSession, contact_ids: Sequence[str], after: str) -> Sequence[Any]:
    return await session.fetch(_OF_PERSONS, {"ids": list(contact_ids), "after": after})
