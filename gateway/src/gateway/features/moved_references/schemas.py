"""What clients ask and read of what merges have moved."""

from crm_contracts.types import Input
from crm_kit.http import pagination
from crm_kit.merging.schemas import MovedReference

from gateway.merged_lists import PageCursor, PageLimit, PartialPage
from gateway.upstream import Service


class MovesQuery(Input):
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class MovesPage(PartialPage[MovedReference, Service]):
    """One page of all services together, by id, the last first."""
