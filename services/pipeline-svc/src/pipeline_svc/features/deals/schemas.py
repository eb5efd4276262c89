"""What clients may write of a deal."""

from typing import Annotated

from crm_contracts.ids import AccountId, ContactId, PipelineId, StageId, TeamId, UserId
from crm_contracts.sharing import SharesWrite
from crm_contracts.types import CustomFields, Date, Input, Name, NonNegativeMoney, Tag, Text
from pydantic import Field

from pipeline_svc.lines import LinesWrite


class DealWrite(Input):
    name: Name
    pipeline_id: Annotated[
        PipelineId | None, Field(description="If left out, that of the stage, else the default pipeline")
    ] = None
    stage_id: Annotated[StageId | None, Field(description="If left out, the first open stage; a change is a move")] = (
        None
    )
    amount: Annotated[
        NonNegativeMoney | None, Field(description="If left out, the sum of the lines where they have one currency")
    ] = None
    expected_close: Date | None = None
    contact_id: ContactId | None = None
    account_id: AccountId | None = None
    owner_id: UserId | None = None
    lines: LinesWrite = []
    next_step: Text | None = None
    lost_reason: Annotated[Text | None, Field(description="Of a deal in a lost stage")] = None
    tags: Annotated[list[Tag], Field(max_length=200)] = []
    custom: CustomFields = {}
    team_id: TeamId | None = None
    shares: SharesWrite = []


class DealMove(Input):
    stage_id: StageId
    lost_reason: Annotated[Text | None, Field(description="With a lost stage only")] = None
