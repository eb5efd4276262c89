"""Jobs over HTTP: the gateway's own first, then whichever service does them."""

from typing import Annotated, Final

from crm_contracts.ids import JobId, prefix_of
from crm_kit.errors import NotFound
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing
from crm_kit.jobs import repository
from crm_kit.jobs import router as own
from crm_kit.jobs.schemas import Job, JobFilter, JobList, JobQuery
from crm_kit.resources import EntityPath, entity_response
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from gateway.features.jobs.events import events_of
from gateway.features.jobs.schemas import JobListQuery, JobPage
from gateway.merged_lists import MergedPage, page_response
from gateway.owners import ask_each, ask_owner, read_answer
from gateway.upstream import SERVICES

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=TransactionRoute)

_OWN: Final = "gateway"
_PATH: Final = "/internal/jobs"
_EVENT_STREAM: Final = "text/event-stream"


@router.get("", operation_id="list_jobs", response_model=JobPage)
async def list_jobs(
    request: Request, session: Reading, caller: Caller, query: Annotated[JobListQuery, Query()]
) -> Response:
    """List jobs, newest first: your own, or all for a key without roles and for who administers access."""
    wanted = query.model_dump(exclude={"limit", "cursor"})
    merged = MergedPage[Job](request, session, "jobs", wanted, query.limit)
    after = merged.after(query.cursor)
    narrowed = {name: wanted[name] for name in JobFilter.model_fields}
    asked = JobQuery(**narrowed, before=JobId(after) if after else None, limit=query.limit + 1)
    lists, degraded = await ask_each(request, caller, SERVICES, _PATH, asked, JobList)
    jobs = [job for one in lists for job in one.data]
    jobs += await repository.page(
        session, _OWN, asked
    )  # last, so that no connection is held while the services are asked
    page, next_cursor = merged.cut(jobs)
    return page_response(request, JobPage(data=page, next_cursor=next_cursor, degraded=degraded))


@router.get("/{entity_id}", operation_id="get_job", response_model=Job)
async def get_job(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    """Read a job: what it is about, how far it has come, and why it failed if it did."""
    try:
        return await own.get_job(request, entity_id, session)
    except NotFound:
        target = _target(entity_id)
    job = read_answer(Job, await ask_owner(request, caller, target))
    session.sights = None  # the service has looked at whose it is
    return entity_response(request, job)


@router.post("/{entity_id}/cancel", operation_id="cancel_job", response_model=Job)
async def cancel_job(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    """Go on with it no more. What it did stays done."""
    try:
        return await own.cancel(request, entity_id, session)
    except NotFound:
        target = _target(entity_id)
    job = read_answer(Job, await ask_owner(request, caller, f"{target}/cancel"))
    session.sights = None
    return entity_response(request, job)


@router.get(
    "/{entity_id}/events",
    operation_id="stream_job",
    response_class=StreamingResponse,
    responses={200: {"content": {_EVENT_STREAM: {}}}},
)
async def stream_job(
    request: Request,
    entity_id: EntityPath,
    session: Reading,
    caller: Caller,
    last_event_id: Annotated[str, Header(max_length=20, description="The version that you have")] = "",
) -> Response:
    """Follow a job by server-sent events: `progress` with the job at each step, and `ended`."""
    target = _target(entity_id)
    is_own = await repository.find(session, entity_id) is not None
    database, tenant_id = request.app.state.database, session.tenant_id

    async def ask() -> Job:
        if not is_own:
            return read_answer(Job, await ask_owner(request, caller, target, method="GET"))
        async with database.read(tenant_id) as later:
            row = await repository.find(later, entity_id)
        if row is None:
            raise NotFound
        return repository.told(row, _OWN)

    seen = int(last_event_id) if last_event_id.isascii() and last_event_id.isdecimal() else 0
    runtime = request.app.state.runtime
    stream = events_of(await ask(), seen, ask, lambda: runtime.shutdown.asked)
    return StreamingResponse(stream, media_type=_EVENT_STREAM, headers={"Cache-Control": "no-store"})


def _target(entity_id: str) -> str:
    """Raises NotFound for what can be no job's id: nobody need be asked."""
    if prefix_of(entity_id) != JobId.prefix:
        raise NotFound
    return f"{_PATH}/{entity_id}"
