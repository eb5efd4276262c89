"""What clients ask and read of dead letters, beyond what the kit tells of one."""

from typing import Annotated, Literal

from crm_kit.dead_letters.schemas import DeadLetter, LetterFilter
from crm_kit.http import pagination
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

Place = Literal["gateway", "contacts", "pipeline", "tickets", "campaigns"]


class DeadLetterQuery(LetterFilter):
    service: Annotated[Place | None, Field(description="Where it lies")] = None
    limit: Annotated[int, Field(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT
    cursor: Annotated[
        str | None,
        Field(max_length=pagination.MAX_CURSOR_LENGTH, json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"}),
    ] = None


class DeadLetterPage(Page[DeadLetter]):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Place], Field(description="Services that did not answer: their letters are missing here; absent if none")
    ] = []
