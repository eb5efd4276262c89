"""What clients ask and read of jobs, beyond what the kit tells of one."""

from crm_kit.http import pagination
from crm_kit.jobs.schemas import Job, JobFilter

from gateway.merged_lists import PageCursor, PageLimit, PartialPage
from gateway.upstream import Service


class JobListQuery(JobFilter):
    limit: PageLimit = pagination.DEFAULT_LIMIT
    cursor: PageCursor = None


class JobPage(PartialPage[Job, Service]):
    """One page, newest first."""
