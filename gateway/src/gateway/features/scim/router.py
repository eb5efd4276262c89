"""SCIM over HTTP (RFC 7644)."""

from typing import Annotated, Any

from crm_kit.db.session import ReadSession
from crm_kit.errors import NotFound
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, require, route_options
from crm_kit.resources import EntityPath
from fastapi import APIRouter, Path, Request
from scim2_models import Context, ResourceType, Schema, SearchRequest
from starlette.responses import Response

from gateway.features.scim import discovery, documents, repository, representation, usecases
from gateway.features.scim.documents import GroupBody, PatchBody, SearchBody, UserBody, responses
from gateway.features.scim.filters import Attributes, Filtered, compile_filter
from gateway.features.scim.representation import check_if_match, list_response, resource_response
from gateway.features.scim.requests import patch_in, said_in, search_in, search_of, wanted_of
from gateway.features.scim.schemas import MEDIA_TYPE, PREFIX, Group, GroupState, User, UserState
from gateway.features.teams.models import TeamRow
from gateway.features.teams.resource import TEAMS
from gateway.features.users import usecases as known_users
from gateway.features.users.models import UserRow
from gateway.features.users.resource import USERS

# The first tag is what permissions are named by: whoever may read users may read them here too.
users = APIRouter(prefix="/Users", tags=["users", "scim"], route_class=TransactionRoute)
groups = APIRouter(prefix="/Groups", tags=["teams", "scim"], route_class=TransactionRoute)
everything = APIRouter(tags=["users", "scim"], route_class=TransactionRoute)
about = APIRouter(tags=["scim"], route_class=TransactionRoute)

_LIST: Any = {"parameters": documents.LIST}
_SEARCH: Any = route_options(reads=True)
_READ: Any = {"parameters": documents.ATTRIBUTES}
_WRITE: Any = {**route_options(scope="admin"), "parameters": documents.ATTRIBUTES}
_OPEN: Any = route_options(public=True)

_USER = responses(documents.USER)
_NEW_USER = responses(documents.USER, status=201)
_USERS = responses(documents.list_of(documents.USER))
_GROUP = responses(documents.GROUP)
_NEW_GROUP = responses(documents.GROUP, status=201)
_GROUPS = responses(documents.list_of(documents.GROUP))
_ALL = responses(documents.list_of(documents.RESOURCE))
_GONE = responses(status=204, description="Deleted")
_PATCHED_GROUP = {**_GROUP, 204: {"description": "Done; answered where no attributes are asked for"}}
_ABOUT = responses(documents.RESOURCE)


@users.get("", operation_id="scim_list_users", summary="List users", responses=_USERS, openapi_extra=_LIST)
async def list_users(request: Request, session: Reading, caller: Caller) -> Response:
    return await _users(session, search_of(request, User), caller)


@users.post(
    "/.search", operation_id="scim_search_users", summary="Search users", responses=_USERS, openapi_extra=_SEARCH
)
async def search_users(body: SearchBody, session: Reading, caller: Caller) -> Response:
    return await _users(session, search_in(body, User), caller)


async def _users(session: ReadSession, asked: SearchRequest[Any], caller: Principal) -> Response:
    total, found = await _page_of_users(session, asked, caller, *_window(asked))
    return list_response(total, found, asked, User)


async def _page_of_users(
    session: ReadSession, asked: SearchRequest[Any], caller: Principal, skip: int, count: int
) -> tuple[int, list[User]]:
    where = _condition(asked, User, repository.USER_ATTRIBUTES, caller)
    total, rows = await repository.page(session, UserRow, where, skip=skip, count=count)
    return total, await representation.users(session, rows, caller, asked)


@users.post(
    "",
    status_code=201,
    operation_id="scim_create_user",
    summary="Create a user",
    responses=_NEW_USER,
    openapi_extra=_WRITE,
)
async def create_user(request: Request, body: UserBody, session: Writing, caller: Caller) -> Response:
    said = said_in(body, UserState, Context.RESOURCE_CREATION_REQUEST)
    user = await usecases.create_scim_user(session, said, caller)
    row = await USERS.get(session, user.id)
    return await _user(request, session, row, caller, Context.RESOURCE_CREATION_RESPONSE, status=201)


@users.get("/{entity_id}", operation_id="scim_get_user", summary="Read a user", responses=_USER, openapi_extra=_READ)
async def get_user(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    row = await USERS.get(session, entity_id)
    return await _user(request, session, row, caller, Context.RESOURCE_QUERY_RESPONSE)


@users.put(
    "/{entity_id}", operation_id="scim_replace_user", summary="Replace a user", responses=_USER, openapi_extra=_WRITE
)
async def replace_user(
    request: Request, entity_id: EntityPath, body: UserBody, session: Writing, caller: Caller
) -> Response:
    row = await USERS.lock(session, entity_id)
    check_if_match(request, representation.user_version(row))
    said = said_in(body, UserState, Context.RESOURCE_REPLACEMENT_REQUEST)
    await usecases.replace_user(session, row, said, caller)
    return await _user(request, session, row, caller, Context.RESOURCE_REPLACEMENT_RESPONSE)


@users.patch(
    "/{entity_id}", operation_id="scim_patch_user", summary="Change a user", responses=_USER, openapi_extra=_WRITE
)
async def patch_user(
    request: Request, entity_id: EntityPath, body: PatchBody, session: Writing, caller: Caller
) -> Response:
    row = await USERS.lock(session, entity_id)
    check_if_match(request, representation.user_version(row))
    await usecases.patch_user(session, row, patch_in(body, UserState), caller)
    return await _user(request, session, row, caller, Context.RESOURCE_PATCH_RESPONSE)


@users.delete(
    "/{entity_id}",
    status_code=204,
    operation_id="scim_delete_user",
    summary="Delete a user",
    responses=_GONE,
    openapi_extra=route_options(scope="admin"),
)
async def delete_user(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    row = await USERS.lock(session, entity_id)
    check_if_match(request, representation.user_version(row))
    await known_users.delete_user(session, row, caller)
    return Response(status_code=204, headers={"Consistency-Token": f"{entity_id}@{row.version}"})


async def _user(
    request: Request, session: ReadSession, row: UserRow, caller: Principal, context: Context, *, status: int = 200
) -> Response:
    wanted = wanted_of(request, User)
    [user] = await representation.users(session, [row], caller, wanted)
    return resource_response(request, user, wanted, context, version=row.version, status=status)


@groups.get("", operation_id="scim_list_groups", summary="List groups", responses=_GROUPS, openapi_extra=_LIST)
async def list_groups(request: Request, session: Reading, caller: Caller) -> Response:
    return await _groups(session, search_of(request, Group), caller)


@groups.post(
    "/.search", operation_id="scim_search_groups", summary="Search groups", responses=_GROUPS, openapi_extra=_SEARCH
)
async def search_groups(body: SearchBody, session: Reading, caller: Caller) -> Response:
    return await _groups(session, search_in(body, Group), caller)


async def _groups(session: ReadSession, asked: SearchRequest[Any], caller: Principal) -> Response:
    total, found = await _page_of_groups(session, asked, caller, *_window(asked))
    return list_response(total, found, asked, Group)


async def _page_of_groups(
    session: ReadSession, asked: SearchRequest[Any], caller: Principal, skip: int, count: int
) -> tuple[int, list[Group]]:
    where = _condition(asked, Group, repository.GROUP_ATTRIBUTES, caller)
    total, rows = await repository.page(session, TeamRow, where, skip=skip, count=count)
    return total, await representation.groups(session, rows, caller, asked)


@groups.post(
    "",
    status_code=201,
    operation_id="scim_create_group",
    summary="Create a group",
    responses=_NEW_GROUP,
    openapi_extra=_WRITE,
)
async def create_group(request: Request, body: GroupBody, session: Writing, caller: Caller) -> Response:
    said = said_in(body, GroupState, Context.RESOURCE_CREATION_REQUEST)
    team = await usecases.create_group(session, said, caller)
    row = await TEAMS.get(session, team.id)
    return await _group(request, session, row, caller, Context.RESOURCE_CREATION_RESPONSE, status=201)


@groups.get(
    "/{entity_id}", operation_id="scim_get_group", summary="Read a group", responses=_GROUP, openapi_extra=_READ
)
async def get_group(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    row = await TEAMS.get(session, entity_id)
    return await _group(request, session, row, caller, Context.RESOURCE_QUERY_RESPONSE)


@groups.put(
    "/{entity_id}",
    operation_id="scim_replace_group",
    summary="Replace a group",
    responses=_GROUP,
    openapi_extra=_WRITE,
)
async def replace_group(
    request: Request, entity_id: EntityPath, body: GroupBody, session: Writing, caller: Caller
) -> Response:
    row = await _locked_group(request, session, entity_id)
    said = said_in(body, GroupState, Context.RESOURCE_REPLACEMENT_REQUEST)
    await usecases.replace_group(session, row, said, caller)
    return await _group(request, session, row, caller, Context.RESOURCE_REPLACEMENT_RESPONSE)


@groups.patch(
    "/{entity_id}",
    operation_id="scim_patch_group",
    summary="Change a group",
    responses=_PATCHED_GROUP,
    openapi_extra=_WRITE,
)
async def patch_group(
    request: Request, entity_id: EntityPath, body: PatchBody, session: Writing, caller: Caller
) -> Response:
    """Without `attributes` nothing is answered (RFC 7644, section 3.5.2): a group may have thousands of members."""
    row = await _locked_group(request, session, entity_id)
    await usecases.patch_group(session, row, patch_in(body, GroupState), caller)
    wanted = wanted_of(request, Group)
    if wanted.attributes or wanted.excluded_attributes:
        return await _group(request, session, row, caller, Context.RESOURCE_PATCH_RESPONSE)
    headers = {"ETag": await _group_version(session, row), "Consistency-Token": f"{row.id}@{row.version}"}
    return Response(status_code=204, headers=headers)


@groups.delete(
    "/{entity_id}",
    status_code=204,
    operation_id="scim_delete_group",
    summary="Delete a group",
    responses=_GONE,
    openapi_extra=route_options(scope="admin"),
)
async def delete_group(request: Request, entity_id: EntityPath, session: Writing, caller: Caller) -> Response:
    row = await _locked_group(request, session, entity_id)
    await usecases.delete_group(session, row, caller)
    return Response(status_code=204, headers={"Consistency-Token": f"{entity_id}@{row.version}"})


async def _group(
    request: Request, session: ReadSession, row: TeamRow, caller: Principal, context: Context, *, status: int = 200
) -> Response:
    wanted = wanted_of(request, Group)
    [group] = await representation.groups(session, [row], caller, wanted)
    return resource_response(request, group, wanted, context, version=row.version, status=status)


async def _locked_group(request: Request, session: Writing, entity_id: str) -> TeamRow:
    row = await TEAMS.lock(session, entity_id)
    if "if-match" in request.headers:
        check_if_match(request, await _group_version(session, row))
    return row


async def _group_version(session: ReadSession, row: TeamRow) -> str:
    found = await repository.memberships(session, [row.id])
    return representation.group_version(row, found.get(row.id))


@everything.post(
    "/.search", operation_id="scim_search", summary="Search users and groups", responses=_ALL, openapi_extra=_SEARCH
)
async def search(body: SearchBody, session: Reading, caller: Caller) -> Response:
    """Users first, then groups; what an attribute of one kind asks for none of the other has."""
    require(caller, "teams:read")
    asked = search_in(body, User | Group)
    skip, count = _window(asked)
    many_users, found_users = await _page_of_users(session, asked, caller, skip, count)
    many_groups, found_groups = await _page_of_groups(
        session, asked, caller, max(0, skip - many_users), count - len(found_users)
    )
    return list_response(many_users + many_groups, [*found_users, *found_groups], asked, User | Group)


def _window(asked: SearchRequest[Any]) -> tuple[int, int]:
    """How many to skip, and how many to answer."""
    return asked.start_index_0 or 0, asked.count or 0


def _condition(asked: SearchRequest[Any], model: Any, attributes: Attributes, caller: Principal) -> Filtered:
    """Raises ScimRefused, and Forbidden where the filter looks at what the caller may not read."""
    if asked.filter is None:
        return None
    where, permissions = compile_filter(asked.filter.ast, model, attributes)
    for permission in sorted(permissions):
        require(caller, permission)
    return where


@about.get(
    "/ServiceProviderConfig",
    operation_id="scim_get_configuration",
    summary="What this service provider can do",
    responses=_ABOUT,
    openapi_extra=_OPEN,
)
async def get_configuration() -> Response:
    return _told(discovery.shown(discovery.CONFIGURATION))


@about.get(
    "/ResourceTypes",
    operation_id="scim_list_resource_types",
    summary="List resource types",
    responses=_ALL,
    openapi_extra=_OPEN,
)
async def list_resource_types() -> Response:
    return _told(discovery.listed(ResourceType, [*discovery.RESOURCE_TYPES.values()]))


@about.get(
    "/ResourceTypes/{name}",
    operation_id="scim_get_resource_type",
    summary="Read a resource type",
    responses=_ABOUT,
    openapi_extra=_OPEN,
)
async def get_resource_type(name: Annotated[str, Path(description="User or Group")]) -> Response:
    return _told_of(discovery.RESOURCE_TYPES.get(name))


@about.get(
    "/Schemas",
    operation_id="scim_list_schemas",
    summary="List schemas",
    responses=_ALL,
    openapi_extra=_OPEN,
)
async def list_schemas() -> Response:
    return _told(discovery.listed(Schema, [*discovery.SCHEMAS.values()]))


@about.get(
    "/Schemas/{name}",
    operation_id="scim_get_schema",
    summary="Read a schema",
    responses=_ABOUT,
    openapi_extra=_OPEN,
)
async def get_schema(name: Annotated[str, Path(description="The schema's URN")]) -> Response:
    return _told_of(discovery.SCHEMAS.get(name))


def _told_of(found: ResourceType | Schema | None) -> Response:
    if found is None:
        raise NotFound
    return _told(discovery.shown(found))


def _told(content: str) -> Response:
    return Response(content, media_type=MEDIA_TYPE)


router = APIRouter(prefix=PREFIX)
for part in (users, groups, everything, about):
    router.include_router(part)
