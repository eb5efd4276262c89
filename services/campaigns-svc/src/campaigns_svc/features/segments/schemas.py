"""What clients may write of a segment and its members."""

from typing import Annotated

from crm_contracts.ids import ContactId, SegmentId
from crm_contracts.types import Contract, Input, LongText, Name
from pydantic import Field


class SegmentWrite(Input):
    name: Name
    description: LongText | None = None


class MembersWrite(Input):
    contact_ids: Annotated[list[ContactId], Field(min_length=1, max_length=1000)]


class MembersAdded(Contract):
    """How many of the contacts were added, and how many were members already."""

    segment_id: SegmentId
    added: int
    already: int
    member_count: int
