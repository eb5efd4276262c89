"""What is told of an audit entry: by a service to the gateway, and by the gateway to clients."""

from typing import Annotated, Any

from crm_contracts.ids import AuditEntryId
from crm_contracts.types import Contract, ExternalKey, Input, Timestamp
from pydantic import Field

MAX_LIMIT = 500


class EntryFilter(Input):
    """Which entries are wanted."""

    actor: Annotated[
        ExternalKey | None, Field(description="Who acted: the id of an API key or user, service/<name>")
    ] = None
    resource: Annotated[ExternalKey | None, Field(description="The type of what was acted on, as its ids begin")] = None
    entity_id: Annotated[ExternalKey | None, Field(description="What was acted on")] = None
    action: Annotated[ExternalKey | None, Field(description="Such as created, updated, deleted, exported")] = None
    since: Annotated[Timestamp | None, Field(description="From this moment on")] = None
    until: Annotated[Timestamp | None, Field(description="Before this moment")] = None


class EntryQuery(EntryFilter):
    """A page of them, newest first, after the entry that `before_at` and `before_id` tell of."""

    before_at: Timestamp | None = None
    before_id: AuditEntryId | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT + 1)] = 51


class Seal(Contract):
    """An entry's place in the chain of its tenant in its service; hashes as hexadecimal SHA-256."""

    sequence: int
    hash: str
    previous_hash: str
    changes_digest: Annotated[str | None, Field(description="Of the salt and the changes; null where there were none")]


class AuditEntry(Contract):
    """Who did what to what."""

    id: AuditEntryId
    service: Annotated[str, Field(description="Where it was done")]
    at: Timestamp
    actor: Annotated[str, Field(description="The id of an API key or user; service/<name>, system: no person")]
    via: Annotated[
        str, Field(description="api_key, user, administrator, inbound_source, event, timer, rule, internal or public")
    ]
    request_id: Annotated[str, Field(description="The request, or the job, event-… or timer-… that caused it")]
    trace_id: str
    address: Annotated[str | None, Field(description="The client's IP address")]
    user_agent: Annotated[str | None, Field(description="What the client calls itself")]
    resource: Annotated[str, Field(description="The type of what was acted on")]
    entity_id: str | None
    version: Annotated[int | None, Field(description="The version that the change led to")]
    action: str
    changes: Annotated[
        dict[str, dict[str, Any]] | None,
        Field(
            description="By field: `before` and `after`; `before_omitted` or `after_omitted` for a long value or a secret."
            " Null where nothing changed, or where they were erased"
        ),
    ]
    seal: Annotated[Seal | None, Field(description="Null in the first seconds")]


class EntryList(Contract):
    """What a service answers the gateway."""

    data: list[AuditEntry]
