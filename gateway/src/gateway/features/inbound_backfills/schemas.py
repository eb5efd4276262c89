"""What is asked of a backfill and told of it."""

from typing import Annotated, Literal

from crm_contracts.ids import InboundBackfillId, InboundSourceId, JobId
from crm_contracts.inbound import PullResource
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Entity, Input, Timestamp
from crm_kit.jobs import JobStatus
from pydantic import Field

Trigger = Literal["asked", "scheduled"]


class BackfillWrite(Input):
    resources: Annotated[
        list[PullResource] | None,
        Field(min_length=1, max_length=3, description="Those of the source's `pull` if left out"),
    ] = None
    updated_since: Annotated[
        Timestamp | None, Field(description="Only what was modified at the shop since; everything if left out")
    ] = None


class ResourceProgress(Contract):
    """How far one resource has come. `records` were taken in; `skipped` were none, or too large."""

    resource: PullResource
    pages: int
    records: int
    skipped: int
    total: Annotated[int | None, Field(description="How many the shop says there are; null where it does not")]
    is_finished: bool


class InboundBackfill(Entity):
    """One run of asking a shop for what it has."""

    id: Annotated[InboundBackfillId, OPEN]
    source_id: Annotated[InboundSourceId, OPEN]
    trigger: Annotated[Trigger, OPEN]
    status: Annotated[JobStatus, OPEN]
    updated_since: Annotated[Timestamp | None, OPEN]
    resources: Annotated[list[ResourceProgress], OPEN]
    trouble: Annotated[
        str | None, Field(description="What the shop's last answer came to, while it is asked again"), OPEN
    ]
    warning: Annotated[str | None, Field(description="What the shop says of the API version"), OPEN]
    error: Annotated[str | None, Field(description="The code of why it failed; the job says more"), OPEN]
    outcomes: Annotated[
        dict[str, int] | None, Field(description="What was taken in, by the status of its deliveries, at the end"), OPEN
    ]
    job_id: Annotated[JobId, OPEN]
    finished_at: Annotated[Timestamp | None, OPEN]
