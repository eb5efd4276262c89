"""What clients ask and read of the audit log, beyond what the kit tells of an entry."""

from typing import Annotated, Literal

from crm_kit.audit.schemas import AuditEntry, EntryFilter
from crm_kit.http import pagination
from pydantic import Field

from gateway.merged_lists import PageCursor, PageLimit, PartialPage

Place = Literal["gateway", "contacts", "pipeline", "tickets", "campaigns"]


class AuditLogFilter(EntryFilter):
    """Which entries are wanted, and of which service."""

    service: Annotated[Place | None, Field(description="Where it was done")] = None


class AuditLogQuery(AuditLogFilter):
    """A page of them."""

    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class AuditEntryPage(PartialPage[AuditEntry, Place]):
    """One page, newest first."""
