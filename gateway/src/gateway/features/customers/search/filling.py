"""Customers from before there was a search are made findable page by page, beside everything else.

Each page is one transaction with how far it has come, so that whoever dies begins where it stood. A second pass an hour later
finds what processes of the release before wrote meanwhile; it writes what is missing alone.
"""

import asyncio
import time
from datetime import datetime
from typing import Any, Final

import structlog
from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.observability.recurring import Recurring
from crm_kit.runtime import Runtime
from crm_kit.shutdown import finish
from sqlalchemy import text

from gateway.features.customers import projection
from gateway.features.customers.compose import identities
from gateway.features.customers.entities import EntityState
from gateway.features.customers.search.fields import searched
from gateway.features.customers.search.writing import write_numbers, write_searched

_PAGE: Final = 200
_IDLE_SECONDS: Final = 5.0
_BUSY_SHARE: Final = 0.5
"""Of the time, while there is something to fill in."""

log = structlog.get_logger(__name__)

_NEXT_TENANT = text(
    "select min(tenant_id) from search_filling where tenant_id > :after and (again_at is null or again_at <= now())"
)
_FILLING = text("select after_id, again_at from search_filling for update skip locked")
_IS_FILLING = text("select exists (select from search_filling where again_at is null)")
_PAGE_OF = text(
    """
    select id, type from entity where id > :after and type in ('account', 'contact', 'order', 'invoice', 'ticket') and not deleted
     order by id limit :limit
    """
)
_NUMBERED = text("select * from entity where id = any(:ids) and not deleted order by id for share")
_CUSTOMERS = text(
    """
    select e.id, e.type, e.data, a.data as account
      from entity e
      left join lateral (select data from entity
                          where id = e.account_id and not deleted and e.type = 'contact' offset 0) a on true
     where e.id = any(:ids) and not e.deleted
    """
)
_MOVE = text("update search_filling set after_id = :after")
_ONCE_MORE = text("update search_filling set after_id = '', again_at = now() + interval '1 hour'")
_DONE = text("delete from search_filling")


async def is_filling(session: ReadSession) -> bool:
    """Whether some of the tenant's customers may not be found yet."""
    return bool(await session.scalar(_IS_FILLING))


async def fill(database: Database, tenant_id: str) -> bool:
    """Makes the next page of a tenant's customers findable, or ends its pass; False where another process is at it."""
    async with database.write(tenant_id, always=True) as session:
        found = (await session.execute(_FILLING)).one_or_none()
        if found is not None:
            await _fill_page(session, found.after_id, found.again_at)
        return found is not None


async def _fill_page(session: WriteSession, after: str, again_at: datetime | None) -> None:
    found = (await session.execute(_PAGE_OF, {"after": after, "limit": _PAGE})).all()
    if not found:
        await session.execute(_ONCE_MORE if again_at is None else _DONE)
        return
    # What was read before the locks were had may be old by then. Entities first, then customers, as the consumer does.
    if numbered := [row.id for row in found if row.type in ("order", "invoice", "ticket")]:
        rows = (await session.execute(_NUMBERED, {"ids": numbered})).all()
        await write_numbers(session, [_state(row) for row in rows])
    if customers := [row.id for row in found if row.type in ("contact", "account")]:
        await projection.lock_customers(session, customers)
        rows = (await session.execute(_CUSTOMERS, {"ids": customers})).all()
        await write_searched(session, [searched(_content(row)) for row in rows])
    await session.execute(_MOVE, {"after": found[-1].id})


def _content(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.type,
        "profile": row.data,
        "account": row.account,
        "identities": identities(row.data),
    }


def _state(row: Any) -> EntityState:
    return EntityState(
        row.id, row.type, row.service, row.version, False, row.time, row.contact_id, row.account_id, data=row.data
    )


async def fill_search(runtime: Runtime) -> None:
    """Makes what there was before findable, each tenant in its turn, until cancelled."""
    fault, tenant_id = Recurring(), ""
    while True:
        worked, began = False, time.monotonic()
        try:
            tenant_id = await _next_tenant(runtime, tenant_id)
            worked = bool(tenant_id) and await finish(fill(runtime.database, tenant_id))
        except Exception as error:
            if fault.is_news(str(error)):
                log.warning("search_filling_waits", error=str(error), kind=type(error).__name__)
        else:
            fault.is_over()
        took = time.monotonic() - began
        await asyncio.sleep(took / _BUSY_SHARE - took if worked else _IDLE_SECONDS)


async def _next_tenant(runtime: Runtime, after: str) -> str:
    """The next one that has something to be filled in, in a circle; empty where none has."""
    async with runtime.system.read(None) as session:
        found = await session.scalar(_NEXT_TENANT, {"after": after})
        if found is None and after:
            found = await session.scalar(_NEXT_TENANT, {"after": ""})
    return found or ""
