"""Accounts over HTTP."""

from crm_kit.db.models import columns
from crm_kit.http.route import Reading
from crm_kit.resources import EntityPath, json_response, list_page, list_parameters, next_link, resource_router
from fastapi import Request
from starlette.responses import Response

from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.accounts.resource import ACCOUNTS, lineage
from contacts_svc.features.accounts.schemas import AccountBranch, AccountHierarchy
from contacts_svc.features.field_history.router import add_history, history_beside

router = resource_router(ACCOUNTS, beside_read=history_beside(ACCOUNTS))
add_history(router)


@router.get(
    "/{entity_id}/hierarchy",
    response_model=AccountHierarchy,
    operation_id="get_account_hierarchy",
    summary="The accounts above one, and a page of those directly beneath it",
    description="Of both those that you see. What is beneath a child is in the child's own hierarchy.",
    openapi_extra={"parameters": list_parameters(ACCOUNTS.fields)},
)
async def hierarchy(request: Request, entity_id: EntityPath, session: Reading) -> Response:
    account = await ACCOUNTS.get(session, entity_id)
    page = await list_page(session, ACCOUNTS, request, within=columns(AccountRow).parent_id == account.id)
    ancestors, parents = await lineage(session, account, [child.id for child in page.data])
    answer = AccountHierarchy(
        ancestors=[ACCOUNT_EVENTS.snapshot(row) for row in ancestors],
        children=[AccountBranch(account=child, has_children=child.id in parents) for child in page.data],
        next_cursor=page.next_cursor,
    )
    return json_response(request, answer, headers=next_link(request, page.next_cursor))
