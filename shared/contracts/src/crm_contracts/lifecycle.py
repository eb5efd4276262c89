"""The lifecycle: which stages a tenant's contacts and accounts go through, and from which into which."""

from typing import Annotated

from pydantic import Field

from crm_contracts.custom_fields import LocalText
from crm_contracts.ids import LifecycleId
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity


class StageReason(Contract):
    value: str
    label: LocalText


class LifecycleStep(Contract):
    """One stage."""

    name: Annotated[str, Field(description="What records have as `lifecycle_stage`", examples=["customer"])]
    label: LocalText
    transitions_to: Annotated[list[str] | None, Field(description="Into which stages it leads; null: into any")]
    reason_required: Annotated[bool, Field(description="Nobody moves a record into it without saying why")]
    reasons: Annotated[list[StageReason], Field(description="Those that can be given; any text where there are none")]
    replaced_by: Annotated[
        str | None, Field(description="The stage into which its records are being moved; then it goes")
    ]


class Lifecycle(Entity):
    """A tenant's stages, in their order. Every tenant has one."""

    id: Annotated[LifecycleId, OPEN]
    initial: Annotated[str, Field(description="The stage of a new record that names none"), OPEN]
    stages: Annotated[list[LifecycleStep], OPEN]
