"""POST of one record as nearly every system sends it: by a caller who may see and write everything of it.

What `routes.py` does, in the same transaction and with the same use case, without FastAPI's machinery around it.
"""

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from crm_kit import context
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.principal import Authenticator
from crm_kit.http.problems import DATABASE_ERRORS, database_problem
from crm_kit.http.route import ParsedRequest, acting_as, require, write
from crm_kit.resources.resource import Resource
from crm_kit.resources.responses import entity_response
from crm_kit.resources.writing import create

_JSON: Final = b"application/json"


class FastCreate:
    """The fast route of one resource's creations."""

    def __init__(self, resource: Resource[Any, Any, Any]) -> None:
        self._resource = resource
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

        async def endpoint(asked: Request) -> Response:
            data = self._resource.validated(sent.parsed)
            entity = await create(asked.state.session, self._resource, data, principal)
            location = f"/v1/{self._resource.plural}/{entity.id}"
            return entity_response(asked, entity, status=201, location=location)

        with context.use(acting_as(principal, request.context())):
            try:
                response = await write(request.state.database, principal, sent, endpoint)
            except DATABASE_ERRORS as error:
                raise database_problem(error) or error from error
        return FastAnswer.of(response)
