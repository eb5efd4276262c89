"""Orders over HTTP."""

from crm_contracts.pipeline import Order
from crm_kit.http.route import Caller, Writing
from crm_kit.resources import EntityPath, change, check_if_match, entity_response, resource_router
from fastapi import Request
from starlette.responses import Response

from pipeline_svc.features.orders import rules
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.orders.resource import ORDERS
from pipeline_svc.features.orders.schemas import RefundWrite

router = resource_router(ORDERS)


@router.post(
    "/{entity_id}/refunds",
    response_model=Order,
    operation_id="refund_order",
    summary="Add what was given back of an order, or say anew what has the same external id",
)
async def refund(
    request: Request, entity_id: EntityPath, data: RefundWrite, session: Writing, caller: Caller
) -> Response:
    """For who is told of one refund at a time: a patch would have to send all of them."""
    row = await ORDERS.lock(session, entity_id)
    check_if_match(request, row.version)
    refunds = rules.with_refund(row.refunds, data.model_dump(mode="json"))
    await change(session, ORDERS, row, {"refunds": refunds}, caller)
    return entity_response(request, ORDER_EVENTS.snapshot(row))
