"""PATCH of one record as nearly every system sends it: by a caller who may see and write everything of it.

What `routes.py` does with the same use case, by two statements: one reads the row, for all who ask at once; one changes it if it
is still what was read (`crm_kit.resources.changes`). Whatever takes more, or is to be refused, is the ordinary route's.
"""

from collections.abc import Mapping
from typing import Any, Final

from crm_contracts.ids import prefix_of
from fastapi import Request
from starlette.responses import Response

from crm_kit import context
from crm_kit.audit.access import noted
from crm_kit.db.rows import read_row
from crm_kit.db.session import Database
from crm_kit.db.statement_pool import StatementPool
from crm_kit.db.unbegun import NeedsTransaction, UnbegunSession
from crm_kit.errors import Problem
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.principal import Authenticator, Principal
from crm_kit.http.problems import DATABASE_ERRORS, database_problem
from crm_kit.http.route import PATCH_TYPES, ParsedRequest, acting_as
from crm_kit.resources.changes import Changes, read_to_change
from crm_kit.resources.fast_read import RowReader
from crm_kit.resources.resource import Resource
from crm_kit.resources.writing import changed_response

_TYPES: Final = frozenset(kind.encode() for kind in PATCH_TYPES)


class FastChange:
    """The fast route of one resource's changes."""

    def __init__(self, resource: Resource[Any, Any, Any], changes: Changes) -> None:
        self._resource = resource
        self._changes = changes
        self._permission = f"{resource.permission}:update"
        self._rows = RowReader(read_to_change(resource.row))

    @property
    def route(self) -> FastRoute:
        prefix = f"/v1/{self._resource.plural}"
        return FastRoute(prefix, f"{prefix}/{{entity_id}}", self._answer, kind="change")

    def use(self, pool: StatementPool) -> None:
        """While the application serves."""
        self._rows.use(pool)

    async def _answer(self, request: FastRequest) -> FastAnswer | None:
        if request.headers.get(b"content-type") not in _TYPES or prefix_of(request.key) is None:
            return None
        authenticator: Authenticator = request.state.authenticator
        principal = authenticator.authenticate_known(request)
        if principal is None or principal.rights is not None or not principal.may(self._permission):
            return None
        if principal.tenant_id is None or principal.realm != principal.tenant_id:
            return None
        read = await self._rows.get(principal.tenant_id, request.key)
        if read is None:
            return None
        sent, body = Request(request.scope), await request.body()
        with context.use(acting_as(principal, request.context())):
            try:
                parsed = ParsedRequest.of(sent, body)
                response = await self._write_at_once(request.state.database, principal, parsed, dict(read))
            except (NeedsTransaction, Problem):  # a refusal is told by who has locked the row
                noted(sent).clear()
                return None
            except DATABASE_ERRORS as error:
                raise database_problem(error) or error from error
        return FastAnswer.of(response)

    async def _write_at_once(
        self, database: Database, principal: Principal, request: ParsedRequest, read: Mapping[str, Any]
    ) -> Response:
        """Raises NeedsTransaction or Problem, and nothing has happened."""
        if not isinstance(request.parsed, dict) or principal.tenant_id is None:
            raise NeedsTransaction
        row = read_row(self._resource.row, read)
        session = UnbegunSession(principal.tenant_id, database.standings)
        request.state.principal, request.state.reads, request.state.session = principal, False, session
        try:
            response = await changed_response(request, session, self._resource, row, request.parsed, principal)
        except (NeedsTransaction, Problem):
            raise
        except Exception as error:  # it wants more of a row than was read; a fault is told of where it happens again
            raise NeedsTransaction from error
        if noted(request):
            raise NeedsTransaction
        await self._changes.write(session, self._resource.row, row, read)
        return response
