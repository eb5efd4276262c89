"""Facts over HTTP, for the gateway: outside `/v1`, so that no client reaches it."""

from crm_contracts.facts import MAX_RELATIONSHIPS, MAX_TIMELINE, ContactsFacts, CustomerId
from crm_contracts.ids import prefix_of
from crm_contracts.relationships import Relationship
from crm_kit.db.session import ReadSession
from crm_kit.errors import NotFound
from crm_kit.http.route import Reading, TransactionRoute, route_options
from crm_kit.resources import json_response
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.consents import repository as consents
from contacts_svc.features.consents.events import CONSENT_EVENTS
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.customers import repository
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.relating.repository import newest_of

router = APIRouter(prefix="/internal", route_class=TransactionRoute, include_in_schema=False)


@router.post("/facts", openapi_extra=route_options(reads=True))
async def facts(request: Request, customer: CustomerId, session: Reading) -> Response:
    if prefix_of(customer.id) == "account":
        return json_response(request, await _account_facts(session, customer.id))
    return json_response(request, await _contact_facts(session, customer.id))


async def _contact_facts(session: ReadSession, contact_id: str) -> ContactsFacts:
    contact = await repository.contact(session, contact_id)
    if contact is None:
        raise NotFound
    account = await repository.account(session, contact.account_id) if contact.account_id else None
    return ContactsFacts(
        contact=CONTACT_EVENTS.snapshot(contact),
        account=ACCOUNT_EVENTS.snapshot(account) if account else None,
        contacts=[],
        consents=[CONSENT_EVENTS.snapshot(row) for row in await consents.deciding_entries(session, contact_id)],
        activities=[
            ACTIVITY_EVENTS.snapshot(row) for row in await repository.newest_activities(session, None, [contact_id])
        ],
        ledger=[
            CONSENT_EVENTS.snapshot(row) for row in await consents.newest_entries(session, contact_id, MAX_TIMELINE)
        ],
        relationships=await _relationships(session, contact_id),
    )


async def _account_facts(session: ReadSession, account_id: str) -> ContactsFacts:
    account = await repository.account(session, account_id)
    if account is None:
        raise NotFound
    contacts = await repository.contacts_of(session, account_id)
    activities = await repository.newest_activities(session, account_id, [contact.id for contact in contacts])
    return ContactsFacts(
        contact=None,
        account=ACCOUNT_EVENTS.snapshot(account),
        contacts=[CONTACT_EVENTS.snapshot(row) for row in contacts],
        consents=[],
        activities=[ACTIVITY_EVENTS.snapshot(row) for row in activities],
        ledger=[],
        relationships=await _relationships(session, account_id),
    )


async def _relationships(session: ReadSession, end_id: str) -> list[Relationship]:
    return [RELATIONSHIP_EVENTS.snapshot(row) for row in await newest_of(session, end_id, MAX_RELATIONSHIPS)]
