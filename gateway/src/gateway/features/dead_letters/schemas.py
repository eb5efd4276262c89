"""What clients ask and read of dead letters, beyond what the kit tells of one."""

from typing import Annotated, Literal

from crm_kit.dead_letters.schemas import DeadLetter, LetterFilter
from crm_kit.http import pagination
from pydantic import Field

from gateway.merged_lists import PageCursor, PageLimit, PartialPage

Place = Literal["gateway", "contacts", "pipeline", "tickets", "campaigns"]


class DeadLetterQuery(LetterFilter):
    service: Annotated[Place | None, Field(description="Where it lies")] = None
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class DeadLetterPage(PartialPage[DeadLetter, Place]):
    """One page, newest first."""
