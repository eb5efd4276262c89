"""`GET /v1/customers/{id}`: a plain ASGI endpoint, since it is what every screen begins with.

FastAPI knows it for the OpenAPI document only; its dependency machinery would cost more than the read.
"""

from typing import Any, Final

import orjson
from crm_contracts.ids import ID_SUFFIX, AccountId, ContactId, prefix_of
from crm_kit import context
from crm_kit.audit.reads import note_reads
from crm_kit.db.session import Database
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http import etag
from crm_kit.http.principal import Authenticator, Principal
from crm_kit.http.route import acting_as, tell_noted
from crm_kit.merging import merged_into
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.features.customers.declared_fields import KnownFields
from gateway.features.customers.entities import Json
from gateway.features.customers.live import LiveComposer
from gateway.features.customers.parameters import SEE_ERRORS, unknown_parameters
from gateway.features.customers.reading import (
    View,
    ViewReader,
    absent_customer,
    no_such_customer,
    parse_consistency_token,
    wait_for,
)
from gateway.features.customers.redacted_views import RedactedViews
from gateway.features.customers.redaction import redact
from gateway.features.customers.selection import ALWAYS, SECTIONS, parse_selection, select
from gateway.features.customers.sight import Sight
from gateway.features.customers.telling import read_of_all, read_of_view
from gateway.recent_writes import REMEMBERED_SECONDS, RecentWrites

_PARAMETERS: Final = frozenset({"include", "fields", "consistency"})
CUSTOMERS: Final = frozenset({"contact", "account"})


_VERSION: Final = f"[a-z]([a-z_]{{0,61}}[a-z])?_{ID_SUFFIX}@[1-9][0-9]{{0,14}}"
CONSISTENCY_TOKEN: Final[dict[str, Any]] = {
    "name": "Consistency-Token",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 35, "pattern": f"^{_VERSION}( *, *{_VERSION}){{0,19}}$"},
    "description": "What writes answered, with commas between: the answer will contain them",
}


class ViewRoute(APIRoute):
    """A route that FastAPI describes and does not run."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive, send)
        response: Response = await self.endpoint(request)
        await tell_noted(request)
        await response(scope, receive, send)


async def answer_view(request: Request) -> Response:
    """One customer's whole view.

    With `Consistency-Token` from a write, the answer contains that write.
    """
    authenticator: Authenticator = request.app.state.authenticator
    principal = await authenticator.authenticate(request)
    assert principal.tenant_id is not None, "the authenticator lets the administrator to tenants alone"
    request.state.principal = principal
    customer_id: str = request.path_params["customer_id"]
    kind = prefix_of(customer_id)
    if kind not in CUSTOMERS:
        raise no_such_customer()
    fields: KnownFields = request.app.state.known_fields
    sight = await fields.sight(principal, kind)
    token = request.headers.get("consistency-token")
    if token is not None or request.scope["query_string"]:
        return await _answer_as_asked(request, principal, sight, customer_id, token)
    state = request.app.state
    reader: ViewReader = state.view_reader
    if state.recent_writes.of(principal.tenant_id, customer_id):
        await _catch_up(request, principal.tenant_id, customer_id)
    view = await reader.read(principal.tenant_id, customer_id)
    if view is None:
        return await _elsewhere(request, principal, customer_id)
    return view_response(request, principal, customer_id, view, sight)


async def _catch_up(request: Request, tenant_id: str, customer_id: str) -> None:
    """Waits for what this process has just passed on about this customer; where it does not come, goes on without."""
    state = request.app.state
    recent: RecentWrites = state.recent_writes
    versions = recent.of(tenant_id, customer_id)
    if versions and await wait_for(state.database, tenant_id, versions, REMEMBERED_SECONDS):
        recent.seen(tenant_id, customer_id, versions)


def view_response(
    request: Request, principal: Principal, customer_id: str, view: View, sight: Sight | None
) -> Response:
    """A stored document, as it is where everything may be seen; 304 where the client has it. Raises NotFound."""
    if sight is None:
        note_reads(request, [read_of_all(customer_id)])
        return _with_version(request, view.version, view.doc)
    views: RedactedViews = request.app.state.redacted_views
    shown = views.shown(principal, sight, customer_id, view.doc)
    if shown.doc is None:
        raise no_such_customer()
    note_reads(request, [shown.read])
    return _with_version(request, view.version, shown.doc)


def _with_version(request: Request, version: int, doc: bytes) -> Response:
    headers = {"ETag": etag.entity_tag(version)}
    try:
        changed = etag.if_none_match(request.headers.get("if-none-match"), version)
    except etag.InvalidEntityTags:
        changed = True
    if not changed:
        return Response(status_code=304, headers=headers)
    return Response(doc, headers=headers, media_type="application/json")


def _seen(request: Request, sight: Sight | None, view: Json) -> Json:
    """What is seen of a view. Raises NotFound where that is nothing."""
    seen = redact(sight, view) if sight is not None else view
    if seen is None:
        raise no_such_customer()
    note_reads(request, [read_of_view(sight, view) if sight is not None else read_of_all(view["id"])])
    return seen


async def _answer_as_asked(
    request: Request, principal: Principal, sight: Sight | None, customer_id: str, token: str | None
) -> Response:
    tenant_id = principal.tenant_id
    assert tenant_id is not None, "answer_view has looked"
    query = request.query_params
    _check_parameters(request)
    paths = parse_selection(query.get("include"), query.get("fields"))
    versions = parse_consistency_token(token) if token is not None else {}
    state = request.app.state
    with context.use(acting_as(principal)):
        live = query.get("consistency") == "live" or not await wait_for(
            state.database, tenant_id, versions, state.settings.consistency_wait_seconds
        )
        if not live:
            await _catch_up(request, tenant_id, customer_id)
        view: View | None = await state.view_reader.read(tenant_id, customer_id)
        if live:
            composer: LiveComposer = state.live_composer
            document = await composer.compose(principal, customer_id, view.version if view else 0)
            if document is None:
                return await _elsewhere(request, principal, customer_id)
            body = _seen(request, sight, document)
            return Response(
                orjson.dumps(select(body, paths) if paths is not None else body), media_type="application/json"
            )
    if view is None:
        return await _elsewhere(request, principal, customer_id)
    if paths is None:
        return view_response(request, principal, customer_id, view, sight)
    narrowed = select(_seen(request, sight, orjson.loads(view.doc)), paths)
    return _with_version(request, view.version, orjson.dumps(narrowed))


async def _elsewhere(request: Request, principal: Principal, customer_id: str) -> Response:
    """Sends the client on where the customer was merged into another; that can be undone, so it is not for ever.

    Raises NotFound, Erased.
    """
    database: Database = request.app.state.database
    async with database.read(principal.tenant_id) as session:
        survivor_id = await merged_into(session, customer_id)
        if survivor_id is None:
            raise await absent_customer(session, principal, customer_id)
    target = str(request.url.replace(path=f"/v1/customers/{survivor_id}", netloc="", scheme=""))
    return JSONResponse({"merged_into": survivor_id}, 307, {"Location": target})


def _check_parameters(request: Request) -> None:
    faults = unknown_parameters(request, _PARAMETERS)
    if request.query_params.get("consistency", "live") != "live":
        text = Text("The only value is live.", "唯一可用的值是 live。")
        faults.append(FieldError("?consistency", "literal_error", text))
    if faults:
        raise ValidationFailed(SEE_ERRORS, errors=faults)


def view_parameters() -> list[dict[str, Any]]:
    """The operation's parameters, which FastAPI cannot see in the endpoint's signature."""
    text = {"type": "string", "maxLength": 2000}
    section = f" *({'|'.join((*ALWAYS, *SECTIONS))})? *"
    sections = ", ".join(SECTIONS)
    pattern = f"{ContactId.pattern()}|{AccountId.pattern()}"
    return [
        {
            "name": "customer_id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": pattern},
            "description": "A contact's or an account's id",
        },
        {
            "name": "include",
            "in": "query",
            "required": False,
            "schema": {**text, "pattern": f"^{section}(,{section})*$"},
            "description": f"Sections, with commas between: {sections}",
        },
        {
            "name": "fields",
            "in": "query",
            "required": False,
            "schema": text,
            "description": "Paths, with commas between, such as profile.full_name,sales.open_value",
        },
        {
            "name": "consistency",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "enum": ["live"]},
            "description": "live: compose from the services now; those that are down are named in degraded",
        },
        CONSISTENCY_TOKEN,
    ]
