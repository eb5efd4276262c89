"""The statements about endpoints, and how far they have come."""

from typing import Any

from crm_kit.db.locks import lock_keys
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import func, select

from gateway.features.webhook_endpoints.models import WebhookEndpointRow, WebhookProgressRow

_endpoint, _progress = columns(WebhookEndpointRow), columns(WebhookProgressRow)
_SWITCH = Sql(
    """
    update webhook_progress set is_on = cast(:is_on as boolean), rest_until = null, failures = 0, failing_since = null,
           changed_at = clock_timestamp()
     where endpoint_id = :id
    """
)
_AT_ONCE = Sql(
    """
    update webhook_delivery set due_at = now(), version = version + 1, updated_at = now()
     where endpoint_id = :id and status = 'waiting' and not held
    """
)
_DUE = Sql("update webhook_progress set due_at = now(), rest_until = null where endpoint_id = :id")
_MOVE = Sql(
    """
    update webhook_progress set position = cast(:position as bigint), snapshot = cast(:snapshot as text),
           due_at = now(), changed_at = clock_timestamp() where endpoint_id = :id
    """
)


async def lock_count(session: WriteSession) -> int:
    """How many a tenant has; until the transaction ends nobody makes another."""
    await lock_keys(session, "webhook_endpoint", ["all"])
    found: int = await session.scalar(select(func.count()).select_from(WebhookEndpointRow))
    return found


async def progress(session: ReadSession, endpoint_id: str) -> Any:
    """The row of how far it has come; None where there is no such endpoint."""
    return await session.scalar(select(WebhookProgressRow).where(_progress.endpoint_id == endpoint_id))


async def switch(session: WriteSession, endpoint_id: str, *, is_on: bool) -> None:
    """Whether it is pushed to from now on. What waits is then tried at once."""
    await session.fetch(_SWITCH, {"id": endpoint_id, "is_on": is_on})
    if is_on:
        await session.fetch(_AT_ONCE, {"id": endpoint_id})
        await session.fetch(_DUE, {"id": endpoint_id})


async def try_soon(session: WriteSession, endpoint_id: str) -> None:
    """There is something due, and it is asked though it rests."""
    await session.fetch(_DUE, {"id": endpoint_id})


async def move(session: WriteSession, endpoint_id: str, position: int, snapshot: str | None) -> None:
    await session.fetch(_MOVE, {"id": endpoint_id, "position": position, "snapshot": snapshot})


async def forget_progress(session: WriteSession, endpoint_id: str) -> None:
    row = await progress(session, endpoint_id)
    if row is not None:
        await session.delete(row)
