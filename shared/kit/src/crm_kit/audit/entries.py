"""An entry before it is written, and who is told in it to have acted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from crm_contracts.ids import AuditEntryId

from crm_kit import context
from crm_kit.audit.changes import changes_of_new
from crm_kit.db.models import utc_now
from crm_kit.db.session import storable

SYSTEM: Final = "system"
"""The actor where no request, event or timer is being worked on: a command."""

_MAX_USER_AGENT: Final = 300
_MAX_ID: Final = 300

_VIA: Final = (
    ("key_", "api_key"),
    ("user_", "user"),
    ("admin", "administrator"),
    ("inbound_source_", "inbound_source"),
    ("service/", "internal"),
    ("anonymous", "public"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done to what. `resource` is the entity's type, `version` the one that the change led to.

    `changes`: JSON as `changes_of` writes it; None where nothing was changed.
    """

    resource: str
    action: str
    entity_id: str | None = None
    version: int | None = None
    changes: str | None = None


def entry(
    resource: str,
    action: str,
    *,
    entity_id: str | None = None,
    version: int | None = None,
    details: Mapping[str, object] | None = None,
) -> Entry:
    """An entry for what is no change of an entity: `details` say more of it, by name, in plain JSON values."""
    told = None if not details else changes_of_new(details)
    shortened = None if entity_id is None else storable(entity_id)[:_MAX_ID]
    return Entry(resource, action, shortened, version, told)


def values(tenant_id: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """What APPEND takes: all entries are the doing of whoever acts now."""
    here = context.current()
    actor = (here.actor_id if here else None) or SYSTEM
    user_agent = here.user_agent if here else None
    return {
        "tenant_id": tenant_id,
        "at": utc_now(),
        "actor": actor,
        "via": (here.via if here else None) or _via(actor),
        "request_id": here.request_id if here else "",
        "trace_id": here.trace.trace_id if here else "",
        "address": here.address if here else None,
        "user_agent": None if user_agent is None else storable(user_agent)[:_MAX_USER_AGENT],
        "entry_ids": [AuditEntryId.new() for _ in entries],
        "resources": [each.resource for each in entries],
        "entity_ids": [each.entity_id for each in entries],
        "versions": [each.version for each in entries],
        "actions": [each.action for each in entries],
        "changes": [each.changes for each in entries],
    }


def _via(actor: str) -> str:
    return next((via for prefix, via in _VIA if actor.startswith(prefix)), "internal")


def read_changes(text: str | None) -> dict[str, Any] | None:
    """The changes of a stored entry."""
    found: dict[str, Any] | None = None if text is None else orjson.loads(text)
    return found
