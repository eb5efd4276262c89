"""What is told of a job: by a service to the gateway, and by the gateway to clients."""

from typing import Annotated, Any, Final, Literal

from crm_contracts.ids import JobId
from crm_contracts.types import Contract, Entity, ExternalKey, Input, Timestamp
from pydantic import Field

JobStatus = Literal["pending", "running", "succeeded", "failed", "cancelled"]
OPEN: Final[tuple[JobStatus, ...]] = ("pending", "running")
OVER: Final = frozenset[JobStatus]({"succeeded", "failed", "cancelled"})


class About(Contract):
    """The record that a job works on."""

    type: str
    id: str


class JobProgress(Contract):
    """In the job's own unit, which is a row for an import."""

    done: int
    total: Annotated[int | None, Field(description="null while nobody knows")]


class Job(Entity):
    """Work that goes on after the answer to whoever asked for it."""

    id: JobId
    service: Annotated[str, Field(description="Which one does it")]
    kind: Annotated[str, Field(description="Such as import")]
    about: About
    status: JobStatus
    progress: JobProgress
    error: Annotated[dict[str, Any] | None, Field(description="Why it failed: a problem as an answer would have it")]
    requested_by: str
    started_at: Timestamp | None
    finished_at: Timestamp | None


class JobFilter(Input):
    """Which jobs are wanted."""

    status: JobStatus | None = None
    kind: ExternalKey | None = None
    about: Annotated[ExternalKey | None, Field(description="The id of what they work on")] = None


class JobQuery(JobFilter):
    """A page of them, newest first. `limit` is one above a public page's, to see whether there is another."""

    before: JobId | None = None
    limit: Annotated[int, Field(ge=1, le=201)] = 51


class JobList(Contract):
    """What a service answers the gateway."""

    data: list[Job]
