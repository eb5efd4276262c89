"""POST of one record as nearly every system sends it: by a caller who may see and write everything of it.

What `routes.py` does with the same use case, without FastAPI's machinery around it: by one statement where the use case
reads nothing (`crm_kit.resources.creations`), else in a transaction.
"""

from functools import cache
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from crm_kit import context
from crm_kit.audit.access import noted
from crm_kit.db.session import Database
from crm_kit.db.unbegun import NeedsTransaction, UnbegunSession
from crm_kit.errors import Problem
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.idempotency import Claim, requested_key
from crm_kit.http.principal import Authenticator, Principal
from crm_kit.http.problems import DATABASE_ERRORS, database_problem
from crm_kit.http.route import Endpoint, ParsedRequest, acting_as, require, write
from crm_kit.resources.creations import Creations
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import entity_response
from crm_kit.resources.writing import create

_JSON: Final = b"application/json"


class FastCreate:
    """The fast route of one resource's creations."""

    def __init__(self, resource: Resource[Any, Any, Any], creations: Creations) -> None:
        self._resource = resource
        self._creations = creations
        self._permission = f"{resource.permission}:create"

    @property
    def route(self) -> FastRoute:
        prefix = f"/v1/{self._resource.plural}"
        return FastRoute(prefix, prefix, self._answer, kind="creation")

    async def _answer(self, request: FastRequest) -> FastAnswer | None:
        if request.headers.get(b"content-type") != _JSON or request.headers.get(b"content-length", b"0") == b"0":
            return None
        authenticator: Authenticator = request.state.authenticator
        principal = authenticator.authenticate_known(request)
        if principal is None or principal.rights is not None:
            return None
        require(principal, self._permission)
        sent = ParsedRequest.of(Request(request.scope), await request.body())
        sent.state.principal, sent.state.reads = principal, False

        validated = cache(lambda: self._resource.validated(sent.parsed))
        database: Database = request.state.database

        async def endpoint(asked: Request) -> Response:
            entity = await create(asked.state.session, self._resource, validated(), principal)
            location = f"/v1/{self._resource.plural}/{entity.id}"
            return entity_response(asked, entity, status=201, location=location)

        with context.use(acting_as(principal, request.context())):
            try:
                try:
                    response = await self._write_at_once(database, principal, sent, endpoint)
                except NeedsTransaction:
                    noted(sent).clear()
                    response = await write(database, principal, sent, endpoint)
            except DATABASE_ERRORS as error:
                raise database_problem(error) or error from error
        return FastAnswer.of(response)

    async def _write_at_once(
        self, database: Database, principal: Principal, request: Request, endpoint: Endpoint
    ) -> Response:
        """Raises NeedsTransaction, and nothing has happened."""
        if principal.realm is None or principal.realm != principal.tenant_id:
            raise NeedsTransaction
        key = requested_key(request)
        claim = None if key is None else Claim.of(request, key, await request.body())
        session = UnbegunSession(principal.realm, database.standings)
        request.state.session = session
        try:
            response = await endpoint(request)
        except Problem as problem:  # where a key was used before, that is told first
            raise NeedsTransaction from problem
        if noted(request):  # another entry than that of the creation
            raise NeedsTransaction
        await self._creations.write(session, claim, response)
        return response
