"""Duplicates over HTTP."""

from typing import Annotated

from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.resources import EntityPath, json_response
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.duplicates.schemas import Duplicate, Duplicates
from contacts_svc.features.duplicates.usecases import duplicates_of_contact, reasons
from contacts_svc.features.matching.rules.scoring import REPORTED_FROM

router = APIRouter(prefix="/v1/contacts/{contact_id}/duplicates", tags=["contacts"], route_class=TransactionRoute)

LeastScore = Annotated[float, Query(ge=0, le=1, description="Only those that score at least this")]


@router.get(
    "",
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
