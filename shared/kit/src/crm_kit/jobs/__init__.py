"""Jobs: what takes longer than a request. Each is done in steps, one transaction each, with how far it has come in it."""

from crm_kit.jobs.schemas import Job, JobStatus
from crm_kit.jobs.steps import JobKind, Progress, Step
from crm_kit.jobs.usecases import start_job, wake_jobs

__all__ = ["Job", "JobKind", "JobStatus", "Progress", "Step", "start_job", "wake_jobs"]
