"""What clients may write of a pipeline."""

from typing import Annotated, Final

from crm_contracts.ids import StageId
from crm_contracts.pipeline import StageKind
from crm_contracts.types import Input, Name
from pydantic import Field, StringConstraints

MAX_STAGES: Final = 50

RequiredField = Annotated[
    str,
    StringConstraints(
        strict=True,
        pattern=r"^(amount|expected_close|contact_id|account_id|owner_id|lines|next_step|lost_reason|tags"
        r"|custom\.[a-z][a-z0-9_]{0,62})$",
    ),
]
"""A field of a deal; a custom one as `custom.<name>`."""


class StageWrite(Input):
    id: Annotated[StageId | None, Field(description="Of a stage that is kept; a stage without one is new")] = None
    name: Name
    probability: Annotated[
        int | None, Field(strict=True, ge=0, le=100, description="Percent; if left out, won 100, lost 0, open 50")
    ] = None
    order: Annotated[
        int | None, Field(strict=True, ge=0, le=1_000_000, description="If left out, after the stage before it")
    ] = None
    kind: StageKind = "open"
    rotting_days: Annotated[
        int | None, Field(strict=True, ge=1, le=3650, description="Days without a move after which a deal is stale")
    ] = None
    required_fields: Annotated[
        list[RequiredField], Field(max_length=50, description="What a deal must have to enter the stage")
    ] = []


class PipelineWrite(Input):
    name: Name
    is_default: Annotated[
        bool, Field(strict=True, description="True makes it the default instead of the one that is")
    ] = False
    stages: Annotated[
        list[StageWrite] | None,
        Field(
            max_length=MAX_STAGES,
            description="At least one open, one won and one lost stage; the usual ones if left out on creation",
        ),
    ] = None
