"""What is told of a field's past."""

from typing import Annotated, Any

from crm_contracts.types import Contract, Timestamp
from pydantic import Field

from contacts_svc.features.field_history.rules import SourceKind


class HistorySource(Contract):
    """`rule`: what follows from the tenant's own settings, such as a territory or a pool. `event`: from another service."""

    kind: SourceKind
    id: Annotated[str | None, Field(description="Of the import, the bulk change, or what another job works on")]


class FieldChange(Contract):
    """A value that a field had from then on."""

    field: str
    value: Annotated[Any, Field(description="null where it was cleared, and where it is omitted")]
    omitted: Annotated[bool, Field(description="The audit log has not kept it: it was longer than 4 KB")]
    at: Timestamp
    version: Annotated[int | None, Field(description="The record's, from then on")]
    actor_id: Annotated[str, Field(description="The API key or user; service/<name> where it was nobody")]
    source: HistorySource


class FieldHistory(Contract):
    """Newest first. A page may be short and not the last: `next_cursor` alone says that."""

    data: list[FieldChange]
    redacted: Annotated[list[str], Field(description="Fields that were asked for and that you may not see")]
    next_cursor: str | None
