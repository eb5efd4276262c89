"""Facts over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from crm_contracts.facts import CampaignsFacts, Scope
from crm_kit.http.route import Reading, TransactionRoute, route_options
from crm_kit.resources import json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from campaigns_svc.features.customers import repository
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.segments.events import SEGMENT_MEMBER_EVENTS

router = APIRouter(prefix="/internal", route_class=TransactionRoute, include_in_schema=False)


@router.post("/facts", openapi_extra=route_options(reads=True))
async def facts(request: Request, scope: Scope, session: Reading) -> Response:
    """Nothing here belongs to an account but through its contacts."""
    messages = await repository.newest_messages(session, scope.contact_ids)
    memberships = await repository.memberships(session, scope.contact_ids)
    return json_response(
        request,
        CampaignsFacts(
            recent_messages=[MESSAGE_EVENTS.snapshot(row) for row in messages],
            memberships=[SEGMENT_MEMBER_EVENTS.snapshot(row) for row in memberships],
        ),
    )
