"""The route class of every endpoint: one request, one principal, one transaction.

FastAPI commits a plain `yield` dependency after the client has its answer. Here the transaction is opened around the
endpoint and committed before the response is returned; with it go the entity, its events, its audit entries and the
idempotency record.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection
from starlette.responses import Response

from crm_kit import context
from crm_kit.audit.access import noted
from crm_kit.audit.reads import noted_reads
from crm_kit.audit.writing import record
from crm_kit.db.session import Database, ReadSession, WriteSession
from crm_kit.errors import FieldError, Forbidden, MalformedRequest, Text, UnsupportedMediaType, ValidationFailed
from crm_kit.http import idempotency
from crm_kit.http.json_body import MalformedJson, UnacceptableJson, parse_json
from crm_kit.http.middleware import TENANT
from crm_kit.http.principal import ANONYMOUS, Authenticator, Principal
from crm_kit.http.sealing import Sealer
from crm_kit.http.uploads import UPLOADS, UploadedRequest
from crm_kit.rights import Sights
from crm_kit.rights.grants import ACTIONS, Action

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]

PATCH_TYPES = ("application/merge-patch+json", "application/json")
_JSON_TYPES = ("application/json",)


Need = Action | Literal["write", "admin"]
"""`write`: any of the actions but reading; which, is looked at where that is known. `admin`: users, roles and keys."""


def route_options(
    *,
    public: bool = False,
    needs: Need | None = None,
    reads: bool = False,
    sensitive: bool = False,
    uploads: bool = False,
) -> dict[str, Any]:
    """OpenAPI extras by which TransactionRoute knows a route that differs from the default of its method.

    `public`: anybody may call it. `needs`: the action that it is. `reads`: a POST that changes nothing.
    `sensitive`: its answer holds a secret, which is kept for replays only encrypted. `uploads`: takes a file, as a form.
    """
    extras: dict[str, Any] = {"x-relata-needs": needs} if needs else {}
    if public:
        extras["security"] = []
    if reads:
        extras["x-relata-reads"] = True
    if sensitive:
        extras["x-relata-sensitive"] = True
    if uploads:
        extras[UPLOADS] = True
    return extras


def permission_of(tags: Sequence[Any], methods: Collection[str], extras: Mapping[str, Any]) -> str | None:
    """The permission that an operation needs: `<resource>:<action>`, its resource being its first tag.

    None where it is public. An operation without a tag, and the administration of access, need the action everywhere.
    """
    if extras.get("security") == []:
        return None
    usual = "read" if _changes_nothing(methods, extras) else "delete" if "DELETE" in methods else "update"
    action = str(extras.get("x-relata-needs") or usual)
    assert action in _NEEDS, action
    return f"{tags[0]}:{action}" if tags and action != "admin" else action


_NEEDS = frozenset({*ACTIONS, "write", "admin"})


def _changes_nothing(methods: Collection[str], extras: Mapping[str, Any]) -> bool:
    return not {"GET", "HEAD"}.isdisjoint(methods) or bool(extras.get("x-relata-reads"))


def require(principal: Principal, permission: str) -> None:
    """Raises Forbidden, which names the permission."""
    if not principal.may(permission):
        raise Forbidden(
            Text(f"The permission {permission!r} is missing.", f"缺少权限 {permission!r}。"),
            members={"missing_permission": permission},
        )


class ParsedRequest(Request):
    """A request whose JSON was parsed strictly before FastAPI asks for it."""

    parsed: object = None

    @classmethod
    def of(cls, request: HTTPConnection, body: bytes) -> Self:
        """Raises MalformedRequest, ValidationFailed."""
        parsed = cls(request.scope)
        parsed._body = body  # what Starlette's own Request.body() caches
        try:
            parsed.parsed = parse_json(body)
        except MalformedJson as error:
            raise MalformedRequest(Text(str(error), f"JSON 无效：{error}")) from error
        except UnacceptableJson as error:
            detail = Text(str(error), f"JSON 不可接受：{error}")
            raise ValidationFailed(detail, errors=[FieldError(error.pointer, error.code, detail)]) from error
        return parsed

    async def json(self) -> Any:
        return self.parsed


class TransactionRoute(APIRoute):
    def get_route_handler(self) -> Endpoint:
        endpoint = super().get_route_handler()
        extras = self.openapi_extra or {}
        methods = self.methods or set()
        permission = permission_of(self.tags, methods, extras)
        reads = _changes_nothing(methods, extras)
        sensitive = bool(extras.get("x-relata-sensitive"))
        receive: Callable[[Request], Awaitable[Request]] = _as_it_is
        if extras.get(UPLOADS):
            receive = UploadedRequest.of
        elif self.body_field is not None:
            receive = partial(_parse, _media_types(self, "PATCH" in methods))

        async def handle(request: Request) -> Response:
            authenticator: Authenticator = request.app.state.authenticator
            principal = ANONYMOUS
            if permission is not None:
                principal = await authenticator.authenticate(request)
                require(principal, permission)
            request.state.principal, request.state.reads = principal, reads
            request.scope[TENANT] = principal.tenant_id
            acting = acting_as(principal)
            if permission is None:  # without a token nobody vouches for where the request came from
                acting = acting._replace(address=None, user_agent=None)
            with context.use(acting):
                parsed = await receive(request)
                database: Database = request.app.state.database
                if reads:
                    response = await _in(database.read(principal.realm), principal, parsed, endpoint)
                    await tell_noted(request)
                    return response
                try:
                    return await write(database, principal, parsed, endpoint, sensitive=sensitive)
                finally:
                    await parsed.close()  # a file that came with it

        return handle


def _media_types(route: APIRoute, patch: bool) -> tuple[str, ...]:
    """What the body may be sent as. A route whose body declares a JSON type of its own takes that, and plain JSON."""
    declared = getattr(route.body_field and route.body_field.field_info, "media_type", _JSON_TYPES[0])
    if declared not in _JSON_TYPES:
        return (declared, *_JSON_TYPES)
    return PATCH_TYPES if patch else _JSON_TYPES


async def _in(
    transaction: AbstractAsyncContextManager[ReadSession],
    principal: Principal,
    request: Request,
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Response:
    async with transaction as session:
        session.sights = Sights.of_caller(principal.rights)
        request.state.session = session
        return await endpoint(request)


def acting_as(principal: Principal, here: context.Context | None = None) -> context.Context:
    """The present request, or that of a context, as the doing of this principal."""
    here = here or context.current()
    assert here is not None, "KitMiddleware sets the context"
    return here._replace(tenant_id=principal.tenant_id, actor_id=principal.subject, via=principal.via or None)


async def tell_noted(request: Request) -> None:
    """Writes what was noted of a request that only reads into the audit log, in a transaction of its own."""
    reads, told = noted_reads(request), list(noted(request))
    if reads is not None:
        told += reads.entries
    if not told:
        return
    principal: Principal = request.state.principal
    database: Database = request.app.state.database
    with context.use(acting_as(principal)):
        async with database.write(principal.realm, always=True) as session:
            await record(session, told)
    if reads is not None:
        request.app.state.reads_told.keep(reads)


async def write(
    database: Database, principal: Principal, request: Request, endpoint: Endpoint, *, sensitive: bool = False
) -> Response:
    """What `endpoint` answers, in a transaction of the caller's; under an Idempotency-Key once, and then again and again.

    A public call is nobody's, so nothing is kept of its key: what it does twice must come to the same by itself.
    """
    realm = principal.realm
    key = idempotency.requested_key(request) if request.method == "POST" else None
    async with database.write(realm) as session:
        session.sights = Sights.of_caller(principal.rights)
        request.state.session = session
        if key is None or realm is None:
            return await _told(session, request, endpoint)
        sealer = Sealer(request.app.state.settings.keyring, "idempotency") if sensitive else None
        if session.sights is not None:
            key = f"{principal.subject} {key}"  # the answer shows what this caller may see
        claim = await idempotency.claim(session, request, key, await request.body(), sealer)
        if isinstance(claim, Response):
            return claim
        response = await _told(session, request, endpoint)
        if session.tenant_id == realm:
            await session.flush()
        else:  # the administrator's transaction was turned to a tenant; the record is the administrator's own
            await session.use_tenant(realm)
        await idempotency.keep(session, claim, response, sealer)
        return response


async def _told(session: WriteSession, request: Request, endpoint: Endpoint) -> Response:
    """What the endpoint answers, once what it has noted for the audit log is written."""
    response = await endpoint(request)
    await record(session, noted(request))
    return response


async def _as_it_is(request: Request) -> Request:
    return request


async def _parse(media_types: tuple[str, ...], request: Request) -> Request:
    body = await request.body()
    if not body:
        return request
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise UnsupportedMediaType(
            Text(f"Send {' or '.join(media_types)}.", f"请使用 {' 或 '.join(media_types)}。"),
            headers={"Accept-Patch": ", ".join(media_types)} if request.method == "PATCH" else None,
        )
    return ParsedRequest.of(request, body)


async def _read_session(request: Request) -> ReadSession:
    session = request.state.session
    assert isinstance(session, ReadSession)
    return session


async def _write_session(request: Request) -> WriteSession:
    session = request.state.session
    assert isinstance(session, WriteSession), "a route that only reads was given a write session"
    return session


async def _principal(request: Request) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


Reading = Annotated[ReadSession, Depends(_read_session)]
"""The request's session, for reading."""

Writing = Annotated[WriteSession, Depends(_write_session)]
"""The request's session, for writing; routes of GET have none."""

Caller = Annotated[Principal, Depends(_principal)]
