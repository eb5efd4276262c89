"""What can go wrong with jobs besides their form."""

from crm_kit.errors import Conflict, Text


class JobOver(Conflict):
    """It has ended: what it did is done."""

    code = "job_over"
    title = Text("The job has ended", "任务已结束")
