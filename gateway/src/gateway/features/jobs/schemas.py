"""What clients ask and read of jobs, beyond what the kit tells of one."""

from typing import Annotated

from crm_kit.http import pagination
from crm_kit.jobs.schemas import Job, JobFilter
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

from gateway.upstream import Service


class JobListQuery(JobFilter):
    limit: Annotated[int, Field(ge=1, le=pagination.MAX_LIMIT)] = pagination.DEFAULT_LIMIT
    cursor: Annotated[
        str | None,
        Field(max_length=pagination.MAX_CURSOR_LENGTH, json_schema_extra={"pattern": "^[A-Za-z0-9_-]*$"}),
    ] = None


class JobPage(Page[Job]):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Service], Field(description="Services that did not answer: their jobs are missing here; absent if none")
    ] = []
