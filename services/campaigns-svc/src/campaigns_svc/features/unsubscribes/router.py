"""The unsubscribe link. Public: the token is the permission."""

from typing import Any

from crm_kit.errors import UnknownLink
from crm_kit.http.route import TransactionRoute, Writing, route_options
from crm_kit.http.signed_tokens import InvalidToken
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from campaigns_svc import pages
from campaigns_svc.features.unsubscribes.usecases import unsubscribe
from campaigns_svc.links import UnsubscribeLink

router = APIRouter(prefix="/v1/unsubscribe", tags=["unsubscribe"], route_class=TransactionRoute)

_ONE_CLICK: dict[str, Any] = {
    "requestBody": {
        "description": "What RFC 8058 sends; the content is not looked at",
        "required": False,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"List-Unsubscribe": {"type": "string", "examples": ["One-Click"]}},
                }
            }
        },
    }
}


def _link(request: Request, token: str) -> UnsubscribeLink:
    try:
        return UnsubscribeLink.parse(token, request.app.state.settings.keyring)
    except InvalidToken:
        raise UnknownLink from None


@router.get(
    "/{token}",
    response_class=HTMLResponse,
    operation_id="show_unsubscribe_page",
    summary="The page behind the link in a message; changes nothing",
    openapi_extra=route_options(public=True),
)
async def ask(request: Request, token: str) -> Response:
    _link(request, token)
    return HTMLResponse(pages.ASK, headers=pages.HEADERS)


@router.post(
    "/{token}",
    response_class=HTMLResponse,
    operation_id="unsubscribe",
    summary="Withdraw the consent that the message was sent under (RFC 8058)",
    openapi_extra={**route_options(public=True), **_ONE_CLICK},
)
async def withdraw(request: Request, token: str, session: Writing) -> Response:
    link = _link(request, token)
    await session.use_tenant(link.tenant_id)
    await unsubscribe(session, link)
    return HTMLResponse(pages.DONE, headers=pages.HEADERS)
