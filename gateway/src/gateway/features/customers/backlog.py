"""Views while events come faster than views can be composed (ADR 0015).

Storing an event costs a tenth of composing its customer's view, and of a hundred events of one customer only the last
needs a view. So the consumer stores what has piled up and marks the customers as stale, in one transaction; their views
are composed later, once each: by a worker, or at once by whoever wants to read one.

A mark says no more than that a customer must be looked at: whoever takes it composes from what is stored by then.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from crm_contracts.envelope import Event
from crm_contracts.ids import prefix_of
from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.inbox.applying import is_transient
from crm_kit.observability.recurring import Recurring
from crm_kit.runtime import Runtime
from crm_kit.shutdown import finish
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.engine import Result

from gateway.features.customers import repository
from gateway.features.customers.projection import Touched, lock_customers, refresh, store

_CONTACTS: Final = 100
_ACCOUNTS: Final = 10
"""Customers that are taken at once: an account's view takes a look at each of its contacts."""

_ROUNDS: Final = 20
"""Of so many rounds accounts come first in one."""

_IDLE_SECONDS: Final = 0.25
_MAX_PAUSE_SECONDS: Final = 5.0

VIEWS_NOT_COMPOSED = Counter("crm_views_not_composed_total", "Attempts at a stale view that failed")

log = structlog.get_logger(__name__)

_MARK = text(
    """
    insert into stale_customer (tenant_id, customer_id, renamed)
    select :tenant_id, * from unnest(cast(:ids as text[]), cast(:renamed as boolean[]))
    """
)

_MARK_TOO = text(
    """
    insert into stale_customer (tenant_id, customer_id, renamed)
    select :tenant_id, one.id, false from unnest(cast(:ids as text[])) as one(id)
     where not exists (select from stale_customer s where s.customer_id = one.id)
    """
)

# Whoever reads one customer waits for its marks; the worker waits for none, so that no two wait for each other.
_TAKE_ONE = text(
    """
    with mine as (select id from stale_customer where customer_id = :id order by id for update)
    delete from stale_customer s using mine where s.id = mine.id returning s.customer_id, s.renamed
    """
)
_TAKE_OLDEST = text(
    """
    with oldest as (select customer_id from stale_customer where customer_id like :kind
                     order by id limit :limit for update skip locked),
         mine as (select id from stale_customer where customer_id in (select customer_id from oldest)
                     for update skip locked)
    delete from stale_customer s using mine where s.id = mine.id returning s.customer_id, s.renamed
    """
)
_MARKED = text("select exists (select from stale_customer where customer_id = :id)")
_OLDEST = text("select customer_id from stale_customer order by id limit :limit")
_TO_THE_END = text(
    """
    with taken as (delete from stale_customer where customer_id = :id returning customer_id, renamed)
    insert into stale_customer (tenant_id, customer_id, renamed)
    select :tenant_id, customer_id, bool_or(renamed) from taken group by customer_id
    """
)
_ALONE = text("select pg_try_advisory_xact_lock(hashtextextended('stale_customer ' || :tenant_id, 0))")
_NEXT_TENANT = text("select min(tenant_id) from stale_customer where tenant_id > :after")


async def project_backlog(session: WriteSession, events: Sequence[Event]) -> None:
    """Stores what has piled up, and marks the customers that it touches."""
    changes = await store(session, events)
    if not changes:
        return
    touched = Touched.by(changes)
    ids = sorted(touched.contacts | touched.accounts | await touched.related(session))
    renamed = [one in touched.renamed for one in ids]
    await session.execute(_MARK, {"tenant_id": session.tenant_id, "ids": ids, "renamed": renamed})


async def refresh_stale(database: Database, tenant_id: str, customer_id: str) -> None:
    """Composes one customer's view now where it is stale."""
    async with database.write(tenant_id, always=True) as session:
        await refresh_marked(session, customer_id)


async def refresh_marked(session: WriteSession, customer_id: str) -> None:
    """As `refresh_stale`, in a transaction of the caller's."""
    await _refresh_taken(session, await session.execute(_TAKE_ONE, {"id": customer_id}))


async def is_marked(session: ReadSession, customer_id: str) -> bool:
    """Whether the customer is stale."""
    return bool(await session.scalar(_MARKED, {"id": customer_id}))


async def refresh_oldest(database: Database, tenant_id: str, *, accounts_first: bool = False) -> int:
    """Composes the views of those of a tenant's customers that have been stale longest; how many marks that took.

    Accounts wait for the contacts: each of these that comes makes another view of its account.
    """
    kinds = [("contact\\_%", _CONTACTS), ("account\\_%", _ACCOUNTS)]
    async with database.write(tenant_id, always=True) as session:
        if not await session.scalar(_ALONE, {"tenant_id": tenant_id}):
            return 0
        for kind, limit in reversed(kinds) if accounts_first else kinds:
            taken = await _refresh_taken(session, await session.execute(_TAKE_OLDEST, {"kind": kind, "limit": limit}))
            if taken:
                return taken
        return 0


async def _refresh_taken(session: WriteSession, taken: Result[Any]) -> int:
    """Who shows something of these is marked in turn: it is asked now, since whose a contact is may have changed."""
    marks = [(row.customer_id, row.renamed) for row in taken]
    if marks:
        ids = {customer_id for customer_id, _ in marks}
        if len(ids) > 1:
            await session.plan_anew()
        contacts = sorted(one for one in ids if prefix_of(one) == "contact")
        renamed = sorted({customer_id for customer_id, renamed in marks if renamed})
        related = await repository.related_customers(session, contacts, renamed) - ids
        if related:
            await session.execute(_MARK_TOO, {"tenant_id": session.tenant_id, "ids": sorted(related)})
        await lock_customers(session, ids)
        await refresh(session, ids)
    return len(marks)


async def compose_stale(runtime: Runtime) -> None:
    """Composes stale views, the oldest first and each tenant in its turn, until cancelled."""
    await StaleViews(runtime).run()


class StaleViews:
    """The worker behind `compose_stale`.

    While a consumer has a backlog it takes a quarter of the time: an event that is stored is what readers wait for, and
    every view is composed for the fewest times in the end.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._fault = Recurring()
        self._round = 0

    async def run(self) -> None:
        tenant_id, pause = "", _IDLE_SECONDS
        while True:
            began = time.monotonic()
            try:
                tenant_id = await self._next_tenant(tenant_id)
                composed = await finish(self._refresh(tenant_id)) if tenant_id else 0
            except Exception as error:
                if self._fault.is_news(str(error)):
                    log.warning("stale_views_wait", error=str(error), kind=type(error).__name__)
                composed, pause = 0, min(pause * 2, _MAX_PAUSE_SECONDS)
            else:
                self._fault.is_over()
                pause = _IDLE_SECONDS
            if not composed:
                await asyncio.sleep(pause)
            elif any(consumer.has_backlog for consumer in self._runtime.consumers):
                await asyncio.sleep(3 * (time.monotonic() - began))

    async def _next_tenant(self, after: str) -> str:
        """The next one that has stale views, in a circle; empty where none has."""
        async with self._runtime.system.read(None) as session:
            found = await session.scalar(_NEXT_TENANT, {"after": after})
            if found is None and after:
                found = await session.scalar(_NEXT_TENANT, {"after": ""})
        return found or ""

    async def _refresh(self, tenant_id: str) -> int:
        self._round = (self._round + 1) % _ROUNDS
        try:
            return await refresh_oldest(self._runtime.database, tenant_id, accounts_first=self._round == 0)
        except Exception as error:
            if is_transient(error):
                raise
            return await self._refresh_singly(tenant_id)

    async def _refresh_singly(self, tenant_id: str) -> int:
        """One of a chunk cannot be composed. It goes to the end of the queue, so that the others are."""
        database, composed = self._runtime.database, 0
        async with database.read(tenant_id) as session:
            ids = sorted(set(await session.scalars(_OLDEST, {"limit": _CONTACTS})))
        for customer_id in ids:
            try:
                await refresh_stale(database, tenant_id, customer_id)
                composed += 1
            except Exception as error:
                if is_transient(error):
                    raise
                VIEWS_NOT_COMPOSED.inc()
                if self._fault.is_news(customer_id):
                    log.error("view_not_composed", tenant=tenant_id, customer=customer_id, kind=type(error).__name__)
                async with database.write(tenant_id, always=True) as session:
                    await session.execute(_TO_THE_END, {"tenant_id": tenant_id, "id": customer_id})
        if ids and not composed:
            raise RuntimeError("none of the oldest stale views can be composed")
        return composed
