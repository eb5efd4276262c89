"""Campaigns over HTTP, and what can be done with them."""

from crm_contracts.campaigns import Campaign
from crm_kit.db.session import WriteSession
from crm_kit.http.route import Reading, Writing
from crm_kit.resources import EntityPath, check_if_match, entity_response, json_response, resource_router
from fastapi import Request
from starlette.responses import Response

from campaigns_svc.features.campaigns import usecases
from campaigns_svc.features.campaigns.events import CAMPAIGN_EVENTS
from campaigns_svc.features.campaigns.models import CampaignRow
from campaigns_svc.features.campaigns.resource import CAMPAIGNS
from campaigns_svc.features.campaigns.schemas import CampaignReport, ScheduleRequest

router = resource_router(CAMPAIGNS)


async def _locked(request: Request, session: WriteSession, entity_id: str) -> CampaignRow:
    row = await CAMPAIGNS.lock(session, entity_id)
    check_if_match(request, row.version)
    return row


@router.post(
    "/{entity_id}/schedule",
    response_model=Campaign,
    operation_id="schedule_campaign",
    summary="Start a campaign, now or at a time",
)
async def schedule(
    request: Request, entity_id: EntityPath, session: Writing, data: ScheduleRequest | None = None
) -> Response:
    row = await _locked(request, session, entity_id)
    await usecases.schedule_campaign(session, row, data.at if data else None)
    return entity_response(request, CAMPAIGN_EVENTS.snapshot(row))


@router.post(
    "/{entity_id}/pause", response_model=Campaign, operation_id="pause_campaign", summary="Stop sending for now"
)
async def pause(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await _locked(request, session, entity_id)
    await usecases.pause_campaign(session, row)
    return entity_response(request, CAMPAIGN_EVENTS.snapshot(row))


@router.post(
    "/{entity_id}/resume", response_model=Campaign, operation_id="resume_campaign", summary="Go on after a pause"
)
async def resume(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await _locked(request, session, entity_id)
    await usecases.resume_campaign(session, row)
    return entity_response(request, CAMPAIGN_EVENTS.snapshot(row))


@router.post(
    "/{entity_id}/cancel", response_model=Campaign, operation_id="cancel_campaign", summary="Stop sending for good"
)
async def cancel(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    row = await _locked(request, session, entity_id)
    await usecases.cancel_campaign(session, row)
    return entity_response(request, CAMPAIGN_EVENTS.snapshot(row))


@router.get(
    "/{entity_id}/report",
    response_model=CampaignReport,
    operation_id="get_campaign_report",
    summary="Messages by status and reason",
)
async def report(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    return json_response(request, await usecases.report(session, await CAMPAIGNS.get(session, entity_id)))
