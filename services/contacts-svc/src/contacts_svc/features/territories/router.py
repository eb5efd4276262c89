"""Territories over HTTP, and how far records have come in following them."""

from crm_kit.http.route import Reading, TransactionRoute
from crm_kit.resources import json_response, resource_router
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.territories import repository
from contacts_svc.features.territories.resource import TERRITORIES
from contacts_svc.features.territories.schemas import TerritoryEvaluation

router = APIRouter(route_class=TransactionRoute)


@router.get(
    "/v1/territories/evaluation",
    tags=["territories"],
    response_model=TerritoryEvaluation,
    operation_id="get_territory_evaluation",
    summary="Whether all records follow the territories as they are",
)
async def evaluation(request: Request, session: Reading) -> Response:
    going_on = await repository.evaluation(session)
    return json_response(request, TerritoryEvaluation(pending=going_on is not None, **(going_on or {})))


router.include_router(resource_router(TERRITORIES))  # behind it: `evaluation` is no id
