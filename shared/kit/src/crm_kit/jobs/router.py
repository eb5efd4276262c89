"""Jobs over HTTP, for the gateway, which asks every service: outside `/v1`, so that no client reaches it.

A service that has no kinds of jobs has no table of them either.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crm_kit.errors import NotFound
from crm_kit.http.route import Reading, TransactionRoute, Writing
from crm_kit.jobs import repository
from crm_kit.jobs.schemas import JobList, JobQuery
from crm_kit.jobs.usecases import cancel_job
from crm_kit.manifest import Manifest
from crm_kit.resources.responses import check_if_match, entity_response, json_response

router = APIRouter(prefix="/internal/jobs", tags=["jobs"], route_class=TransactionRoute, include_in_schema=False)


def _manifest(request: Request) -> Manifest:
    manifest: Manifest = request.app.state.runtime.manifest
    return manifest


@router.get("")
async def list_jobs(request: Request, session: Reading, query: Annotated[JobQuery, Query()]) -> Response:
    manifest = _manifest(request)
    jobs = await repository.page(session, manifest.name, query) if manifest.jobs else []
    session.sights = None  # whoever sees a job sees all of it
    return json_response(request, JobList(data=jobs))


@router.get("/{job_id}")
async def get_job(request: Request, job_id: str, session: Reading) -> Response:
    manifest = _manifest(request)
    row = await repository.find(session, job_id) if manifest.jobs else None
    if row is None:
        raise NotFound
    session.sights = None
    return entity_response(request, repository.told(row, manifest.name))


@router.post("/{job_id}/cancel")
async def cancel(request: Request, job_id: str, session: Writing) -> Response:
    manifest = _manifest(request)
    row = await repository.lock(session, job_id) if manifest.jobs else None
    if row is None:
        raise NotFound
    session.sights = None
    check_if_match(request, row.version)
    row = await cancel_job(session, manifest.jobs[row.kind], row)
    return entity_response(request, repository.told(row, manifest.name))
