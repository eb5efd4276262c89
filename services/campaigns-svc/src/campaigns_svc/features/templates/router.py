"""Templates over HTTP."""

from crm_kit.errors import Forbidden, Text
from crm_kit.http.route import Caller, Reading, require, route_options
from crm_kit.resources import EntityPath, json_response, resource_router, rights_to_copy
from fastapi import Request
from starlette.responses import Response

from campaigns_svc.features.templates.resource import TEMPLATES
from campaigns_svc.features.templates.schemas import Preview, PreviewRequest
from campaigns_svc.features.templates.usecases import preview_template
from campaigns_svc.links import unsubscribe_url

router = resource_router(TEMPLATES)


@router.post(
    "/{entity_id}/preview",
    response_model=Preview,
    operation_id="preview_template",
    summary="Show a template to a contact, or to a made-up one",
    openapi_extra=route_options(reads=True),
)
async def preview(
    request: Request, entity_id: EntityPath, data: PreviewRequest, session: Reading, caller: Caller
) -> Response:
    if data.contact_id is not None:
        for shown in ("contacts:read", "accounts:read"):
            require(caller, shown)
        if not (await rights_to_copy(session, "contacts", data.contact_id)).is_clear:
            raise Forbidden(
                Text("A preview shows all of a contact.", "预览会显示联系人的全部信息。"),
                members={"missing_permission": "contacts.custom:read"},
            )
    row = await TEMPLATES.get(session, entity_id)
    link = unsubscribe_url(request.app.state.settings.public_url, "preview")
    return json_response(request, await preview_template(session, row, data, link))
