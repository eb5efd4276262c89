"""Validation rules over HTTP, and who would break one."""

from crm_kit.http.route import Caller, Writing, route_options
from crm_kit.resources import json_response, resource_router
from fastapi import Request
from starlette.responses import Response

from contacts_svc.features.validation_rules.resource import VALIDATION_RULES
from contacts_svc.features.validation_rules.schemas import BrokenBy, BrokenByWrite
from contacts_svc.features.validation_rules.usecases import broken_by

router = resource_router(VALIDATION_RULES)


@router.post(
    "/preview",
    response_model=BrokenBy,
    operation_id="preview_validation_rule",
    summary="How many records that are there would break a rule",
    openapi_extra=route_options(needs="read"),
)
async def preview(request: Request, data: BrokenByWrite, session: Writing, caller: Caller) -> Response:
    """Of those that you see. They stay as they are whatever rules there are: what is not changed is not judged."""
    return json_response(request, await broken_by(session, data, caller))
