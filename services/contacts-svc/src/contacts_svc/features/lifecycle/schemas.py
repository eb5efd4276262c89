"""What clients may write of the lifecycle."""

from typing import Annotated

from crm_contracts.types import CustomName, Input, Name
from pydantic import Field

from contacts_svc.features.custom_fields.schemas import LocalTextWrite


class StageReasonWrite(Input):
    value: Name
    label: LocalTextWrite


class LifecycleStepWrite(Input):
    name: Annotated[CustomName, Field(description="What records have as `lifecycle_stage`", examples=["customer"])]
    label: LocalTextWrite
    transitions_to: Annotated[
        list[CustomName] | None, Field(max_length=50, description="Into which stages it leads; null: into any")
    ] = None
    reason_required: Annotated[
        bool, Field(strict=True, description="Nobody moves a record into it without saying why")
    ] = False
    reasons: Annotated[
        list[StageReasonWrite],
        Field(max_length=50, description="Those that can be given; any text where there are none"),
    ] = []
    replaced_by: Annotated[
        CustomName | None, Field(description="Moves its records into that stage, in the background; then it goes")
    ] = None


class LifecycleWrite(Input):
    initial: Annotated[CustomName, Field(description="The stage of a new record that names none")]
    stages: Annotated[list[LifecycleStepWrite], Field(min_length=1, max_length=50, description="In their order")]
