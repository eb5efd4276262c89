"""Segments over HTTP, and who belongs to them."""

from crm_contracts.campaigns import SegmentMember
from crm_kit.db.models import columns
from crm_kit.http import etag
from crm_kit.http.route import Reading, Writing
from crm_kit.resources import EntityPath, Page, check_if_match, json_response, list_page, next_link, resource_router
from fastapi import Request
from starlette.responses import Response

from campaigns_svc.features.segments.models import SegmentMemberRow
from campaigns_svc.features.segments.resource import SEGMENT_MEMBERS, SEGMENTS
from campaigns_svc.features.segments.schemas import MembersAdded, MembersWrite
from campaigns_svc.features.segments.usecases import add_members, remove_member

router = resource_router(SEGMENTS)


@router.post(
    "/{entity_id}/members",
    response_model=MembersAdded,
    operation_id="add_segment_members",
    summary="Add up to 1,000 contacts",
)
async def add(request: Request, entity_id: EntityPath, data: MembersWrite, session: Writing) -> Response:
    row = await SEGMENTS.lock(session, entity_id)
    check_if_match(request, row.version)
    added = await add_members(session, row, data.contact_ids)
    headers = {"ETag": etag.entity_tag(row.version), "Consistency-Token": f"{row.id}@{row.version}"}
    return json_response(request, added, headers=headers)


@router.get(
    "/{entity_id}/members",
    response_model=Page[SegmentMember],
    operation_id="list_segment_members",
    summary="List the members",
)
async def members(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    await SEGMENTS.get(session, entity_id)
    within = columns(SegmentMemberRow).segment_id == entity_id
    page = await list_page(session, SEGMENT_MEMBERS, request, within=within)
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.delete(
    "/{entity_id}/members/{contact_id}",
    status_code=204,
    response_class=Response,
    operation_id="remove_segment_member",
    summary="Remove a contact",
)
async def remove(request: Request, entity_id: EntityPath, contact_id: EntityPath, session: Writing) -> Response:
    row = await SEGMENTS.lock(session, entity_id)
    check_if_match(request, row.version)
    await remove_member(session, row, contact_id)
    return Response(status_code=204, headers={"Consistency-Token": f"{row.id}@{row.version}"})
