"""Duplicates over HTTP."""

from typing import Annotated

from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.http.route import Reading, TransactionRoute, Writing, route_options
from crm_kit.resources import (
    EntityPath,
    Page,
    access,
    check_if_match,
    entity_response,
    json_response,
    list_page,
    list_parameters,
    next_link,
)
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.duplicates import repository
from contacts_svc.features.duplicates.events import UNPUBLISHED
from contacts_svc.features.duplicates.models import DuplicatePairRow
from contacts_svc.features.duplicates.resource import DUPLICATES
from contacts_svc.features.duplicates.schemas import Duplicate, DuplicatePair, Duplicates, PairStatus, reasons
from contacts_svc.features.duplicates.usecases import duplicates_of_contact, set_status, told_pairs
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM

router = APIRouter(route_class=TransactionRoute)

LeastScore = Annotated[float, Query(ge=0, le=1, description="Only those that score at least this")]


@router.get(
    "/v1/contacts/{contact_id}/duplicates",
    tags=["contacts"],
    response_model=Duplicates,
    operation_id="list_duplicates_of_contact",
    summary="Contacts that are probably the same person, and why",
)
async def duplicates(
    request: Request, contact_id: EntityPath, session: Reading, min_score: LeastScore = REPORTED_FROM
) -> Response:
    found = await duplicates_of_contact(session, contact_id, least=min_score)
    data = [
        Duplicate(
            contact=CONTACT_EVENTS.snapshot(each.row),
            score=round(each.said.score, 4),
            why=reasons(each.said),
            contradictions=list(each.said.contradictions),
            may_merge=each.said.may_merge,
        )
        for each in found or ()
    ]
    return json_response(request, Duplicates(data=data, withheld=found is None))


@router.get(
    "/v1/duplicates",
    tags=["duplicates"],
    response_model=Page[DuplicatePair],
    operation_id="list_duplicates",
    summary="Pairs that the last scan has found, the likeliest first",
    openapi_extra={"parameters": list_parameters(DUPLICATES.fields)},
)
async def pairs(request: Request, session: Reading) -> Response:
    """Of which you read what identifies both persons. Those of `status=dismissed` are two persons, as somebody has said."""
    page = await list_page(session, DUPLICATES, request, within=await told_pairs(session))
    return json_response(request, page, headers=next_link(request, page.next_cursor))


@router.get(
    "/v1/duplicates/{entity_id}",
    tags=["duplicates"],
    response_model=DuplicatePair,
    operation_id="get_duplicate",
    summary="One pair",
)
async def one(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    return entity_response(request, UNPUBLISHED.snapshot(await _pair(session, entity_id)))


@router.post(
    "/v1/duplicates/{entity_id}/dismiss",
    tags=["duplicates"],
    response_model=DuplicatePair,
    operation_id="dismiss_duplicate",
    summary="They are two persons",
    openapi_extra=route_options(needs="update"),
)
async def dismiss(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    """Not told again: neither by a later scan nor by either contact's duplicates."""
    return await _change(request, session, entity_id, "dismissed")


@router.post(
    "/v1/duplicates/{entity_id}/reopen",
    tags=["duplicates"],
    response_model=DuplicatePair,
    operation_id="reopen_duplicate",
    summary="They may be one person after all",
    openapi_extra=route_options(needs="update"),
)
async def reopen(request: Request, entity_id: EntityPath, session: Writing) -> Response:
    return await _change(request, session, entity_id, "open")


async def _pair(session: ReadSession, pair_id: str) -> DuplicatePairRow:
    """Raises NotFound, also for one that the caller is not told of."""
    row = await repository.pair(session, pair_id, await told_pairs(session))
    if row is None:
        raise DUPLICATES.not_found(pair_id)
    await access.look_at(session, DUPLICATES, [row.id])
    return row


async def _change(request: Request, session: WriteSession, entity_id: str, status: PairStatus) -> Response:
    await _pair(session, entity_id)
    row = await DUPLICATES.lock(session, entity_id)
    check_if_match(request, row.version)
    await set_status(session, row, status)
    return entity_response(request, UNPUBLISHED.snapshot(row))
