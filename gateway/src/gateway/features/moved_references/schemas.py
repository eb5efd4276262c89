"""What clients ask and read of what merges have moved."""

from typing import Annotated

from crm_contracts.types import Input
from crm_kit.http import pagination
from crm_kit.merging.schemas import MovedReference
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

from gateway.merged_lists import PageCursor, PageLimit
from gateway.upstream import Service


class MovesQuery(Input):
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class MovesPage(Page[MovedReference]):
    """One page of all services together, by id, the last first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Service], Field(description="Services that did not answer: what they moved is missing; absent if none")
    ] = []
