"""What clients ask and read of dead letters, beyond what the kit tells of one."""

from typing import Annotated, Literal

from crm_kit.dead_letters.schemas import DeadLetter, LetterFilter
from crm_kit.http import pagination
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

from gateway.merged_lists import PageCursor, PageLimit

Place = Literal["gateway", "contacts", "pipeline", "tickets", "campaigns"]


class DeadLetterQuery(LetterFilter):
    service: Annotated[Place | None, Field(description="Where it lies")] = None
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class DeadLetterPage(Page[DeadLetter]):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Place], Field(description="Services that did not answer: their letters are missing here; absent if none")
    ] = []
