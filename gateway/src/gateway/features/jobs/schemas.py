"""What clients ask and read of jobs, beyond what the kit tells of one."""

from typing import Annotated

from crm_kit.http import pagination
from crm_kit.jobs.schemas import Job, JobFilter
from crm_kit.resources import Page
from pydantic import ConfigDict, Field

from gateway.merged_lists import PageCursor, PageLimit
from gateway.upstream import Service


class JobListQuery(JobFilter):
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class JobPage(Page[Job]):
    """One page, newest first."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    degraded: Annotated[
        list[Service], Field(description="Services that did not answer: their jobs are missing here; absent if none")
    ] = []
