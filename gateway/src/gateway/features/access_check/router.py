"""Access checks over HTTP."""

from crm_kit.http.route import Caller, Reading, TransactionRoute, route_options
from crm_kit.resources import json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.features.access_check.schemas import CheckBody, CheckResults
from gateway.features.access_check.usecases import Checker

router = APIRouter(prefix="/v1/access", tags=["access"], route_class=TransactionRoute)


@router.post(
    "/check",
    response_model=CheckResults,
    operation_id="check_access",
    summary="May somebody do something, and why",
    openapi_extra=route_options(needs="read", reads=True),
)
async def check_access(request: Request, session: Reading, caller: Caller, body: CheckBody) -> Response:
    """About oneself; about others for who administers access. A record that the asker may not know of is none."""
    state = request.app.state
    checker = Checker(session, caller, state.services, seconds=state.settings.upstream_read_seconds)
    results = [await checker.answer(check, f"/checks/{place}") for place, check in enumerate(body.checks)]
    return json_response(request, CheckResults(results=results))
