"""What clients ask and read of the audit log, beyond what the kit tells of an entry."""

from typing import Annotated, Literal

from crm_kit.audit.schemas import AuditEntry, EntryFilter
from crm_kit.http import pagination
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

from gateway.merged_lists import PageCursor, PageLimit

Place = Literal["gateway", "contacts", "pipeline", "tickets", "campaigns"]


class AuditLogFilter(EntryFilter):
    """Which entries are wanted, and of which service."""

    service: Annotated[Place | None, Field(description="Where it was done")] = None


class AuditLogQuery(AuditLogFilter):
    """A page of them."""

    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class AuditEntryPage(Page[AuditEntry]):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Place], Field(description="Services that did not answer: their entries are missing here; absent if none")
    ] = []
