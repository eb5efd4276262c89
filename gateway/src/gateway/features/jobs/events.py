"""A job's progress as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from crm_kit.errors import Problem
from crm_kit.jobs.schemas import OVER, Job

_PAUSE_SECONDS: Final = 0.5
_QUIET_PAUSES: Final = 20
"""After so many without news a comment shows that the connection lives."""

_LONGEST_PAUSES: Final = 7200
"""An hour; an EventSource then connects again by itself."""


def event_of(job: Job) -> bytes:
    """Its id is the job's version, by which a client that was cut off goes on."""
    name = "ended" if job.status in OVER else "progress"
    return f"id: {job.version}\nevent: {name}\ndata: {job.model_dump_json()}\n\n".encode()


async def events_of(
    job: Job, seen: int, ask: Callable[[], Awaitable[Job]], is_ending: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """From now until the job or this process ends. `seen`: the version that the client has."""
    quiet = 0
    for _ in range(_LONGEST_PAUSES):
        if job.version > seen or job.status in OVER:
            yield event_of(job)
            seen, quiet = job.version, 0
        if job.status in OVER or is_ending():
            return
        await asyncio.sleep(_PAUSE_SECONDS)
        quiet += 1
        if quiet >= _QUIET_PAUSES:
            yield b": nothing new\n\n"
            quiet = 0
        try:
            job = await ask()
        except Problem as problem:
            if problem.status < 500:  # it is gone, or the caller may not see it any more
                return
