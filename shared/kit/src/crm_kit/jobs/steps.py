"""What a kind of job is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from crm_kit.db.session import WriteSession
from crm_kit.http.principal import Principal
from crm_kit.jobs.schemas import JobStatus
from crm_kit.settings import ServiceSettings
from crm_kit.timers import Outside


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come. `total`: None while nobody knows. `pause`: until the next step."""

    done: int
    total: int | None
    is_finished: bool
    pause: timedelta = timedelta()


Step = Callable[[WriteSession, str, Principal], Awaitable[Progress | Outside]]
"""Does the next part of the work on the record of this id, within the session's transaction, and says how far that came.

It takes where it stands from the record, writes there where it stands then, and takes about a second at most. A Problem
ends the job as failed; after any other error the step is undone and tried again. What takes longer, outside the database, it
returns: the next step comes when the conclusion of that says.
"""

Ended = Callable[[WriteSession, str, JobStatus], Awaitable[None]]
"""Told in the transaction in which the job ends."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """`name`: as the job tells it. `made_with`: the step, where it takes settings."""

    name: str
    step: Step | None
    ended: Ended
    made_with: Callable[[ServiceSettings], Step] | None = None

    def steps(self, settings: ServiceSettings) -> Step:
        if self.made_with is not None:
            return self.made_with(settings)
        assert self.step is not None, f"{self.name} has no step"
        return self.step
