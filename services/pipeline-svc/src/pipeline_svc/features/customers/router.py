"""Facts over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from crm_contracts.facts import MAX_RECENT, InvoicesDueFacts, OrderFacts, PipelineFacts, Scope
from crm_kit.http.route import Reading, TransactionRoute, route_options
from crm_kit.resources import json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline_svc.features.customers import repository
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.payments.events import PAYMENT_EVENTS

router = APIRouter(prefix="/internal", route_class=TransactionRoute, include_in_schema=False)


@router.post("/facts", openapi_extra=route_options(reads=True))
async def facts(request: Request, scope: Scope, session: Reading) -> Response:
    values = await repository.deal_values(session, scope)
    counted = await repository.counted_orders(session, scope)
    due = await repository.due_invoices(session, scope)
    placed = [ORDER_EVENTS.snapshot(row) for row in await repository.newest_orders(session, scope)]
    found = PipelineFacts(
        open_deals=[DEAL_EVENTS.snapshot(row) for row in await repository.newest_open_deals(session, scope)],
        open_value=values["open"],
        won_value=values["won"],
        orders=OrderFacts(
            count=counted.count, total=counted.total, last_at=counted.last_at, recent=placed[:MAX_RECENT]
        ),
        deals=[DEAL_EVENTS.snapshot(row) for row in await repository.newest_moved_deals(session, scope)],
        orders_placed=placed,
        orders_refunded=[ORDER_EVENTS.snapshot(row) for row in await repository.newest_refunded_orders(session, scope)],
        invoices_due=InvoicesDueFacts(
            count=due.count,
            overdue=due.overdue,
            total=due.total,
            next=[INVOICE_EVENTS.snapshot(row) for row in await repository.first_due_invoices(session, scope)],
        ),
        invoices_issued=[
            INVOICE_EVENTS.snapshot(row) for row in await repository.newest_issued_invoices(session, scope)
        ],
        payments_made=[PAYMENT_EVENTS.snapshot(row) for row in await repository.newest_payments(session, scope)],
    )
    return json_response(request, found)
