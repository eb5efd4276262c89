"""`GET /v1/customers/{id}` as nearly everybody asks for it: one view, as stored, or as it was redacted before."""

from typing import Final

from crm_contracts.ids import prefix_of
from crm_kit.db.models import utc_now
from crm_kit.http.fast_path import FastAnswer, FastRequest, FastRoute
from crm_kit.http.principal import Principal

from gateway.access.authenticator import GatewayAuthenticator
from gateway.access.explanation import HEADER
from gateway.features.customers.declared_fields import KnownFields
from gateway.features.customers.reading import View, ViewReader
from gateway.features.customers.redacted_views import RedactedViews, Shown
from gateway.features.customers.telling import read_of_all
from gateway.features.customers.view_route import CUSTOMERS
from gateway.recent_writes import RecentWrites

_UNUSUAL: Final = frozenset({b"consistency-token", HEADER.lower().encode()})


async def _answer(request: FastRequest) -> FastAnswer | None:
    """None also for what is not there, and for a reading that is still to be told of in the audit log."""
    state, customer_id = request.state, request.key
    if prefix_of(customer_id) not in CUSTOMERS:
        return None
    authenticator: GatewayAuthenticator = state.authenticator
    principal = authenticator.authenticate_known(request)
    if principal is None or principal.tenant_id is None:
        return None
    recent: RecentWrites = state.recent_writes
    if recent.of(principal.tenant_id, customer_id):
        return None
    reader: ViewReader = state.view_reader
    if b"if-none-match" in request.headers and principal.rights is None and principal.may("read"):
        version = await reader.read_fresh_version(principal.tenant_id, customer_id)
        if version is None:
            return None
        unchanged = FastAnswer.not_modified(request, version)
        if unchanged is not None:
            return unchanged
    view = await reader.read_fresh(principal.tenant_id, customer_id)
    if view is None:
        return None
    doc = _shown(request, principal, customer_id, view)
    return FastAnswer.of_version(request, view.version, lambda: doc) if doc is not None else None


def _shown(request: FastRequest, principal: Principal, customer_id: str, view: View) -> bytes | None:
    """What is sent; None where that takes more than looking it up."""
    rights = principal.rights
    if rights is None or rights.is_unlimited:
        if not principal.may("read"):
            return None
        if rights is None:  # what a system reads is not told of
            return view.doc
        shown = Shown(view.doc, read_of_all(customer_id))
    else:
        fields: KnownFields = request.state.known_fields
        declared = fields.peek(principal.tenant_id) if principal.tenant_id is not None else None
        if declared is None:
            return None
        views: RedactedViews = request.state.redacted_views
        found = views.kept(principal, customer_id, view.doc, utc_now(), declared)
        if found is None:
            return None
        shown = found
    return shown.doc if request.state.reads_told.is_told(principal, shown.read) else None


FAST_VIEW: Final = FastRoute("/v1/customers", "/v1/customers/{customer_id}", _answer, _UNUSUAL)
