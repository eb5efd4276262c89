"""What clients may write of orders, invoices and payments alike."""

from typing import Annotated

from crm_contracts.ids import AccountId, ContactId, TeamId, UserId
from crm_contracts.sharing import SharesWrite
from crm_contracts.types import CustomFields, ExternalKey, Input, Name, Slug, Tag, Timestamp
from pydantic import Field, StringConstraints

SourceName = Annotated[Slug | None, Field(description="The shop or ERP that it comes from", examples=["shopify"])]
ExternalIdInSource = Annotated[ExternalKey | None, Field(description="Its id in the source, unique there")]
SourceTime = Annotated[
    Timestamp | None,
    Field(
        description="When the source last changed it, by its own clock. A change that says an earlier time than the record has "
        "changes nothing, and is answered by the record as it is"
    ),
]
Tags = Annotated[list[Tag], Field(max_length=200)]
NumberInSource = Annotated[
    Annotated[Name, StringConstraints(max_length=100)] | None,
    Field(description="Unique within its source; given by us if left out", examples=["SO-2026-0001"]),
]


class SoldWrite(Input):
    source: SourceName = None
    external_id: ExternalIdInSource = None
    contact_id: ContactId | None = None
    account_id: AccountId | None = None
    tags: Tags = []
    custom: CustomFields = {}
    owner_id: UserId | None = None
    team_id: TeamId | None = None
    shares: SharesWrite = []
    source_updated_at: SourceTime = None
