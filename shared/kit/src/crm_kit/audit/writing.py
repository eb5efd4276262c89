"""Writing entries within the transaction of what they tell of."""

from collections.abc import Sequence

from crm_kit.audit.entries import Entry, values
from crm_kit.db.session import WriteSession
from crm_kit.db.sql import Sql

INSERT = """
    insert into audit_unsealed
           (tenant_id, id, at, actor, via, request_id, trace_id, address, user_agent,
            resource, entity_id, version, action, changes)
    select cast(:tenant_id as text), told.id, cast(:at as timestamptz), cast(:actor as text), cast(:via as text),
           cast(:request_id as text), cast(:trace_id as text), cast(:address as text), cast(:user_agent as text),
           resource, entity_id, version, action, changes
      from unnest(cast(:entry_ids as text[]), cast(:resources as text[]), cast(:entity_ids as text[]),
                  cast(:versions as bigint[]), cast(:actions as text[]), cast(:changes as text[]))
           as told(id, resource, entity_id, version, action, changes)
"""

_RECORD = Sql(INSERT)


async def record(session: WriteSession, entries: Sequence[Entry]) -> None:
    """Writes entries of the session's tenant; they are there if the transaction commits.

    For what is no change of an entity: those are told by `EntityEvents`.
    """
    if entries:
        await session.fetch(_RECORD, values(session.tenant_id, entries))
