"""The statements about replays."""

from collections.abc import Mapping
from typing import Any

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql

_NEXT = Sql(
    """
    select id, position, until, from_at, until_at, kinds, customer_id from webhook_replay
     where tenant_id = :tenant_id and endpoint_id = :endpoint_id and not done order by id limit 1
    """
)
_BEGIN = Sql(
    """
    with begun as (
        insert into webhook_replay
               (tenant_id, id, version, created_at, updated_at, endpoint_id, start, position, until, from_at, until_at, kinds,
                customer_id, events, delivered, failed, done)
        values (:tenant_id, :id, 1, now(), now(), :endpoint_id, cast(:position as bigint), cast(:position as bigint), :until,
                :from_at, :until_at, :kinds, :customer_id, 0, 0, 0, false)
        returning endpoint_id)
    update webhook_progress p set replays = true from begun where p.endpoint_id = begun.endpoint_id
    """
)
_REACHED = Sql(
    """
    with moved as (update webhook_replay set position = :position, done = :done, version = version + 1, updated_at = now()
                    where id = :id and not done returning endpoint_id, done)
    update webhook_progress p set replays = false from moved
     where moved.done and p.endpoint_id = moved.endpoint_id
       and not exists (select from webhook_replay r where r.endpoint_id = moved.endpoint_id and not r.done and r.id <> :id)
    """
)
_COUNT = Sql(
    """
    update webhook_replay set events = events + :found, delivered = delivered + :delivered, failed = failed + :failed,
           version = version + 1, updated_at = now() where id = :id and cancelled_at is null
    """
)
# Its sender, which has some of it in its hands, begins anew: by `changed_at`.
_CANCEL = Sql(
    """
    with dropped as (
        update webhook_delivery set status = 'failed', error = 'cancelled', held = false, due_at = null, finished_at = now(),
               version = version + 1, updated_at = now()
         where endpoint_id = :endpoint_id and replay_id = :id and status = 'waiting'
        returning subject),
    ended as (
        update webhook_replay set done = true, cancelled_at = now(), version = version + 1, updated_at = now(),
               failed = failed + (select count(*) from dropped) where id = :id),
    told as (
        update webhook_progress p set changed_at = clock_timestamp(), replays = exists (
            select from webhook_replay r where r.endpoint_id = p.endpoint_id and not r.done and r.id <> :id)
         where p.endpoint_id = :endpoint_id)
    select distinct subject from dropped
    """
)
_WAITS = Sql(
    """
    select exists (select from webhook_delivery
                    where endpoint_id = :endpoint_id and replay_id = :id and status = 'waiting') as waits
    """
)


async def next_of(session: ReadSession, endpoint_id: str) -> Any | None:
    """The oldest replay of an endpoint that is not done."""
    found = await session.fetch(_NEXT, {"tenant_id": session.tenant_id, "endpoint_id": endpoint_id})
    return found[0] if found else None


async def begin(session: WriteSession, endpoint_id: str, replay_id: str, **of: Any) -> None:
    """`position`, `until`, `from_at`, `until_at`, `kinds`, `customer_id`: as of WebhookReplayRow."""
    await session.fetch(_BEGIN, {"tenant_id": session.tenant_id, "endpoint_id": endpoint_id, "id": replay_id, **of})


async def reached(session: WriteSession, replay_id: str, position: int, *, done: bool) -> None:
    """All up to a position is dealt with; nothing where it has been cancelled meanwhile."""
    await session.fetch(_REACHED, {"id": replay_id, "position": position, "done": done})


async def count(session: WriteSession, replay_id: str, counts: Mapping[str, int]) -> None:
    """So many more have been `found`, `delivered`, `failed`."""
    names = ("found", "delivered", "failed")
    await session.fetch(_COUNT, {"id": replay_id, **{name: counts.get(name, 0) for name in names}})


async def waits(session: ReadSession, endpoint_id: str, replay_id: str) -> bool:
    """Whether a delivery of it is to be tried again."""
    return bool((await session.fetch(_WAITS, {"endpoint_id": endpoint_id, "id": replay_id}))[0]["waits"])


async def cancel(session: WriteSession, endpoint_id: str, replay_id: str) -> list[str]:
    """No more of it is told; the subjects of which a delivery was dropped."""
    found = await session.fetch(_CANCEL, {"endpoint_id": endpoint_id, "id": replay_id})
    return [row["subject"] for row in found]
