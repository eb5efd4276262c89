"""What clients may write of an order."""

from typing import Annotated

from crm_contracts.ids import AccountId, ContactId, TeamId, UserId
from crm_contracts.pipeline import OrderStatus
from crm_contracts.sharing import SharesWrite
from crm_contracts.types import CustomFields, ExternalKey, Input, Name, NonNegativeMoney, Slug, Tag, Timestamp
from pydantic import Field, StringConstraints

from pipeline_svc.lines import LinesWrite


class OrderWrite(Input):
    number: Annotated[
        Annotated[Name, StringConstraints(max_length=100)] | None,
        Field(description="Unique within its source; given by us if left out", examples=["SO-2026-0001"]),
    ] = None
    source: Annotated[Slug | None, Field(description="The shop or ERP that it comes from", examples=["shopify"])] = None
    external_id: Annotated[ExternalKey | None, Field(description="Its id in the source, unique there")] = None
    contact_id: ContactId | None = None
    account_id: AccountId | None = None
    lines: LinesWrite = []
    total: Annotated[
        NonNegativeMoney | None, Field(description="If left out, that of the lines, which then have one currency")
    ] = None
    status: OrderStatus = "pending"
    placed_at: Annotated[Timestamp | None, Field(description="Now if left out")] = None
    tags: Annotated[list[Tag], Field(max_length=200)] = []
    custom: CustomFields = {}
    owner_id: UserId | None = None
    team_id: TeamId | None = None
    shares: SharesWrite = []
