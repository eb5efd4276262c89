"""Tells the audit log whose view, and what kind of members of it in clear, somebody is about to be shown."""

from collections.abc import Iterable
from dataclasses import replace

from crm_kit import context
from crm_kit.audit import record
from crm_kit.audit.reads import SENSITIVE, Read, is_told, reads_of
from crm_kit.http.principal import Principal
from fastapi import Request

from gateway.features.customers.entities import Json
from gateway.features.customers.redaction import standing_of
from gateway.features.customers.sight import OF_KIND, Sight, Standing


def read_of(sight: Sight | None, kind: str, customer_id: str, at: Standing) -> Read:
    """Of a customer who lies so to the caller. Who sees everything is taken to see what is there."""
    if sight is None:
        return Read(customer_id, frozenset(SENSITIVE))
    rights = sight.rights(OF_KIND[kind][0], at)
    return Read(customer_id, frozenset(each for each in SENSITIVE if rights.reads(each)))


def read_of_view(sight: Sight, view: Json) -> Read:
    return read_of(sight, view["kind"], view["id"], standing_of(sight, view))


async def tell(request: Request, principal: Principal, reads: Iterable[Read]) -> None:
    """Nothing is answered before it is written."""
    if not is_told(principal):
        return
    state, here = request.app.state, context.current()
    assert here is not None, "KitMiddleware sets the context"
    operation = f"{request.method} {request.scope['path']}"
    fresh = reads_of(principal, state.reads_told, operation, (read for read in reads if read.shown))
    if not fresh.reads:
        return
    acting = replace(here, tenant_id=principal.tenant_id, actor_id=principal.subject, via=principal.via or None)
    with context.use(acting):
        async with state.database.write(principal.tenant_id) as session:
            await record(session, fresh.entries)
    state.reads_told.keep(fresh)
