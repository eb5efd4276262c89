"""The matrix of operations, roles and owners over this service alone: as it is, and with holes that somebody might make.

Each hole is a route that the matrix is not told of: it must find it in the document, and what it shows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.manifest import MANIFEST
from crm_contracts.contacts import Contact
from crm_contracts.envelope import Event
from crm_contracts.event_schemas import event_example
from crm_contracts.ids import EventId, TeamId, UserId
from crm_contracts.registry import USER
from crm_kit.db.models import columns
from crm_kit.db.provision import ServiceUrls
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, route_options
from crm_kit.manifest import Feature
from crm_kit.resources import EntityPath, Page, check_if_match, entity_response, json_response
from crm_kit.resources.schemas import BatchBody, BatchResult, BatchResults
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.rights_matrix import MatrixRole, shown
from crm_testkit.rights_world import Company, Trial
from crm_testkit.service import ServiceUnderTest, running_service
from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

pytestmark = pytest.mark.long

OURS, ME, MATE = TeamId.new(), UserId.new(), UserId.new()
RESOURCES = ["contacts", "accounts", "activities", "consents"]


def _grant(records: str, *actions: str, **fields: str) -> dict[str, Any]:
    return {"resources": RESOURCES, "actions": list(actions), "records": records, "fields": fields}


ROLES = [
    MatrixRole("sales", [_grant("own", "read", "update", open="write")]),
    MatrixRole(
        "manager", [_grant("team", "read", open="read", personal="read"), _grant("all", "read", personal="masked")]
    ),
    MatrixRole("desk", [_grant("all", "read", open="read"), _grant("own", "update", open="write")]),
]
_c = columns(ContactRow)


def a_list_without_a_condition() -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=TransactionRoute)

    @router.get("/recent", response_model=Page[Contact])
    async def recent(session: Reading) -> Response:
        rows = (await session.scalars(select(ContactRow))).all()
        page = Page[Contact](data=[CONTACT_EVENTS.snapshot(row) for row in rows], next_cursor=None)
        return Response(page.model_dump_json(), media_type="application/json")

    return router


def a_batch_of_its_own() -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=TransactionRoute)

    @router.post("/batch", response_model=BatchResults, openapi_extra=route_options(needs="write"))
    async def batch(body: BatchBody, session: Writing, caller: Caller) -> Response:
        results = []
        for operation in body.operations:
            row = (await session.scalars(select(ContactRow).where(_c.id == operation.id))).one()
            data = CONTACTS.patched(CONTACT_EVENTS.snapshot(row), operation.data)
            assert CONTACTS.update is not None
            await CONTACTS.update(session, row, data, caller)
            results.append(BatchResult(status=200, id=row.id, version=row.version))
        return Response(BatchResults(results=results).model_dump_json(), media_type="application/json")

    return router


def a_filter_on_what_is_hidden() -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=TransactionRoute)

    @router.get("", response_model=Page[Contact])
    async def listed(request: Request, session: Reading, wechat: Annotated[str | None, Query()] = None) -> Response:
        wanted = select(ContactRow) if wechat is None else select(ContactRow).where(_c.wechat == wechat)
        rows = await CONTACTS.seen(session, (await session.scalars(wanted)).all())
        found = Page[Contact](data=[CONTACT_EVENTS.snapshot(row) for row in rows], next_cursor=None)
        return json_response(request, found)

    return router


def an_action_without_its_right() -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=TransactionRoute)

    @router.post("/{entity_id}/touch", response_model=Contact)
    async def touch(request: Request, entity_id: EntityPath, session: Writing) -> Response:
        row = await CONTACTS.lock(session, entity_id, "read")
        check_if_match(request, row.version)
        return entity_response(request, CONTACT_EVENTS.snapshot(row))

    return router


def an_answer_past_the_rights() -> APIRouter:
    router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=TransactionRoute)

    @router.get("/{entity_id}/card")
    async def card(entity_id: EntityPath, session: Reading) -> dict[str, Any]:
        row = await CONTACTS.get(session, entity_id)
        return {"name": row.full_name, "phones": row.phones}

    return router


@dataclass(frozen=True)
class Running:
    service: ServiceUnderTest
    trial: Trial
    tenant_id: str

    async def findings(self) -> list[str]:
        for role in ROLES:
            grants = [
                Grant(frozenset(one["resources"]), frozenset(one["actions"]), one["records"], one["fields"])
                for one in role.grants
            ]
            rights = Rights(ME, (OURS,), grants, admin=False)
            await self.trial.of(role, self.service.tenant(self.tenant_id, rights=rights).client)
        return self.trial.matrix.findings


async def _until_known_as_mate(service: ServiceUnderTest, tenant_id: str) -> None:
    """The service hears of users by their events."""
    user = event_example(USER, "created")["value"]["entity"]
    teams = [{"team_id": OURS, "manager": False}]
    event = Event(
        id=EventId.new(),
        source="/relata/gateway",
        type=USER.event_type("created"),
        subject=MATE,
        time=datetime.now(UTC),
        tenant_id=tenant_id,
        sequence=1,
        entity={**user, "id": MATE, "teams": teams},
    )
    await service.publish((USER.name, event))
    team = Rights(None, (OURS,), [Grant(frozenset({"contacts"}), frozenset({"read"}), "team", {})], admin=False)
    reader = service.tenant(tenant_id, rights=team)
    async with asyncio.timeout(20):
        while len((await reader.read("/v1/contacts"))["data"]) < 2:
            await asyncio.sleep(0.05)


@pytest.fixture
def made(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> Callable[..., Any]:
    @asynccontextmanager
    async def running(*routers: APIRouter) -> AsyncIterator[Running]:
        features = (*(Feature(router=router) for router in routers), *MANIFEST.features)
        manifest = replace(MANIFEST, features=features)
        async with running_service(manifest, postgres_database("contacts"), event_log_database(), tmp_path) as service:
            tenant = service.tenant()
            collections = frozenset(f"/v1/{one}" for one in RESOURCES[:3]) | {"/v1/contacts/{contact_id}/consents"}
            company = Company(tenant.client, collections)
            await company.own(ME, MATE, UserId.new(), OURS, TeamId.new())
            trial = Trial(company, (await tenant.client.get("/openapi.json")).json())
            await trial.prepare()
            await _until_known_as_mate(service, tenant.id)
            yield Running(service, trial, tenant.id)

    return running


async def test_the_service_as_it_is_has_none(made: Callable[..., Any]) -> None:
    async with made() as running:
        findings = await running.findings()
    assert not findings, shown(findings)


@pytest.mark.parametrize(
    ("hole", "told"),
    [
        (a_list_without_a_condition, "GET /v1/contacts/recent"),
        (a_batch_of_its_own, "POST /v1/contacts/batch"),
        (a_filter_on_what_is_hidden, "GET /v1/contacts?wechat="),
        (an_action_without_its_right, "/touch answers"),
        (an_answer_past_the_rights, "/card shows"),
    ],
)
async def test_a_hole_is_found(made: Callable[..., Any], hole: Callable[[], APIRouter], told: str) -> None:
    async with made(hole()) as running:
        findings = await running.findings()
    assert [finding for finding in findings if told in finding], shown(findings)
