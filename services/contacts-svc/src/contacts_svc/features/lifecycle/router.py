"""The lifecycle over HTTP."""

from typing import Any

from crm_contracts.lifecycle import Lifecycle
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing
from crm_kit.resources import change, check_if_match, entity_response, merge_patch_type
from fastapi import APIRouter, Request
from starlette.responses import Response

from contacts_svc.features.lifecycle.events import LIFECYCLE_EVENTS
from contacts_svc.features.lifecycle.resource import LIFECYCLE
from contacts_svc.features.lifecycle.schemas import LifecycleWrite
from contacts_svc.features.lifecycle.usecases import begin_change, present_lifecycle

router = APIRouter(prefix="/v1/lifecycle", tags=["lifecycle"], route_class=TransactionRoute)


@router.get("", response_model=Lifecycle, operation_id="get_lifecycle", summary="The stages of contacts and accounts")
async def read(request: Request, session: Reading) -> Response:
    lifecycle = await present_lifecycle(session)
    if session.sights is not None:
        # It is the whole tenant's, and may be in no row yet that could be looked at.
        rights = session.sights.rights.on(LIFECYCLE.permission).at("all")
        if not rights.is_seen:
            raise LIFECYCLE.not_found(lifecycle.id)
        session.sights.note(lifecycle.id, rights)
    return entity_response(request, lifecycle)


async def update(request: Request, patch: dict[str, Any], session: Writing, caller: Caller) -> Response:
    row = await LIFECYCLE.lock(session, await begin_change(session))
    check_if_match(request, row.version)
    await change(session, LIFECYCLE, row, patch, caller)
    return entity_response(request, LIFECYCLE_EVENTS.snapshot(row))


update.__annotations__["patch"] = merge_patch_type(LifecycleWrite)
router.add_api_route(
    "",
    update,
    methods=["PATCH"],
    response_model=Lifecycle,
    operation_id="update_lifecycle",
    summary="Change the stages by a JSON Merge Patch",
    description="A list is sent whole. A stage that records are in goes by `replaced_by`.",
)
