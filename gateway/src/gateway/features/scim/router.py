"""SCIM over HTTP (RFC 7644)."""

from typing import Annotated, Any

from crm_kit.db.session import ReadSession
from crm_kit.errors import NotFound
from crm_kit.http.principal import Principal
from crm_kit.http.route import Caller, Reading, TransactionRoute, Writing, require, route_options
from crm_kit.resources import EntityPath
from fastapi import APIRouter, Depends, Path, Request
from scim2_models import Context, ResourceType, Schema, SearchRequest
from starlette.responses import Response

from gateway.features.scim import discovery, documents, repository, representation, usecases
from gateway.features.scim.documents import GroupBody, PatchBody, SearchBody, UserBody
from gateway.features.scim.filters import Attributes, Filtered, compile_filter
from gateway.features.scim.representation import ScimResponse, check_if_match, list_response, resource_response
from gateway.features.scim.requests import patch_in, said_in, search_in, search_of, wanted_of
from gateway.features.scim.schemas import PREFIX, Group, GroupState, User, UserState
from gateway.features.teams.models import TeamRow
from gateway.features.teams.resource import TEAMS
from gateway.features.users import usecases as known_users
from gateway.features.users.models import UserRow
from gateway.features.users.resource import USERS


async def _as_directory(caller: Caller) -> None:
    """SCIM shows and finds people in full: it is not for who sees some of them, or parts. Raises Forbidden."""
    if caller.rights is not None and not caller.rights.admin:
        require(caller, "admin")


_DIRECTORIES: Any = [Depends(_as_directory)]


# The first tag is what permissions are named by: whoever may read users may read them here too.
_COMMON: Any = {
    "route_class": TransactionRoute,
    "default_response_class": ScimResponse,
    "responses": documents.ERRORS,
}
users = APIRouter(prefix="/Users", tags=["users", "scim"], dependencies=_DIRECTORIES, **_COMMON)
groups = APIRouter(prefix="/Groups", tags=["teams", "scim"], dependencies=_DIRECTORIES, **_COMMON)
everything = APIRouter(tags=["users", "scim"], dependencies=_DIRECTORIES, **_COMMON)
about = APIRouter(tags=["scim"], **_COMMON)

_LIST: Any = {"parameters": documents.LIST}
_SEARCH: Any = route_options(reads=True)
_READ: Any = {"parameters": documents.ATTRIBUTES}
_WRITE: Any = {**route_options(needs="admin"), "parameters": documents.ATTRIBUTES}
_OPEN: Any = route_options(public=True)

_OR_NOTHING: Any = {204: {"description": "Done; answered where no attributes are asked for"}}


@users.get(
    "", operation_id="scim_list_users", summary="List users", response_model=documents.ScimUsers, openapi_extra=_LIST
)
async def list_users(request: Request, session: Reading, caller: Caller) -> Response:
    return await _users(session, search_of(request, User), caller)


@users.post(
    "/.search",
    operation_id="scim_search_users",
    summary="Search users",
    response_model=documents.ScimUsers,
    openapi_extra=_SEARCH,
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
    response_model=documents.ScimUser,
    openapi_extra=_WRITE,
)
async def create_user(request: Request, body: UserBody, session: Writing, caller: Caller) -> Response:
    said = said_in(body, UserState, Context.RESOURCE_CREATION_REQUEST)
    user = await usecases.create_scim_user(session, said, caller)
    row = await USERS.get(session, user.id)
    return await _user(request, session, row, caller, Context.RESOURCE_CREATION_RESPONSE, status=201)


@users.get(
    "/{entity_id}",
    operation_id="scim_get_user",
    summary="Read a user",
    response_model=documents.ScimUser,
    openapi_extra=_READ,
)
async def get_user(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    row = await USERS.get(session, entity_id)
    return await _user(request, session, row, caller, Context.RESOURCE_QUERY_RESPONSE)


@users.put(
    "/{entity_id}",
    operation_id="scim_replace_user",
    summary="Replace a user",
    response_model=documents.ScimUser,
    openapi_extra=_WRITE,
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
    "/{entity_id}",
    operation_id="scim_patch_user",
    summary="Change a user",
    response_model=documents.ScimUser,
    openapi_extra=_WRITE,
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
    openapi_extra=route_options(needs="admin"),
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


@groups.get(
    "", operation_id="scim_list_groups", summary="List groups", response_model=documents.ScimGroups, openapi_extra=_LIST
)
async def list_groups(request: Request, session: Reading, caller: Caller) -> Response:
    return await _groups(session, search_of(request, Group), caller)


@groups.post(
    "/.search",
    operation_id="scim_search_groups",
    summary="Search groups",
    response_model=documents.ScimGroups,
    openapi_extra=_SEARCH,
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
    response_model=documents.ScimGroup,
    openapi_extra=_WRITE,
)
async def create_group(request: Request, body: GroupBody, session: Writing, caller: Caller) -> Response:
    said = said_in(body, GroupState, Context.RESOURCE_CREATION_REQUEST)
    team = await usecases.create_group(session, said, caller)
    row = await TEAMS.get(session, team.id)
    return await _group(request, session, row, caller, Context.RESOURCE_CREATION_RESPONSE, status=201)


@groups.get(
    "/{entity_id}",
    operation_id="scim_get_group",
    summary="Read a group",
    response_model=documents.ScimGroup,
    openapi_extra=_READ,
)
async def get_group(request: Request, entity_id: EntityPath, session: Reading, caller: Caller) -> Response:
    row = await TEAMS.get(session, entity_id)
    return await _group(request, session, row, caller, Context.RESOURCE_QUERY_RESPONSE)


@groups.put(
    "/{entity_id}",
    operation_id="scim_replace_group",
    summary="Replace a group",
    response_model=documents.ScimGroup,
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
    response_model=documents.ScimGroup,
    responses=_OR_NOTHING,
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
    openapi_extra=route_options(needs="admin"),
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
    "/.search",
    operation_id="scim_search",
    summary="Search users and groups",
    response_model=documents.ScimResources,
    openapi_extra=_SEARCH,
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
    response_model=documents.ScimResource,
    openapi_extra=_OPEN,
)
async def get_configuration() -> Response:
    return _told(discovery.shown(discovery.CONFIGURATION))


@about.get(
    "/ResourceTypes",
    operation_id="scim_list_resource_types",
    summary="List resource types",
    response_model=documents.ScimResources,
    openapi_extra=_OPEN,
)
async def list_resource_types() -> Response:
    return _told(discovery.listed(ResourceType, [*discovery.RESOURCE_TYPES.values()]))


@about.get(
    "/ResourceTypes/{name}",
    operation_id="scim_get_resource_type",
    summary="Read a resource type",
    response_model=documents.ScimResource,
    openapi_extra=_OPEN,
)
async def get_resource_type(name: Annotated[str, Path(description="User or Group")]) -> Response:
    return _told_of(discovery.RESOURCE_TYPES.get(name))


@about.get(
    "/Schemas",
    operation_id="scim_list_schemas",
    summary="List schemas",
    response_model=documents.ScimResources,
    openapi_extra=_OPEN,
)
async def list_schemas() -> Response:
    return _told(discovery.listed(Schema, [*discovery.SCHEMAS.values()]))


@about.get(
    "/Schemas/{name}",
    operation_id="scim_get_schema",
    summary="Read a schema",
    response_model=documents.ScimResource,
    openapi_extra=_OPEN,
)
async def get_schema(name: Annotated[str, Path(description="The schema's URN")]) -> Response:
    return _told_of(discovery.SCHEMAS.get(name))


def _told_of(found: ResourceType | Schema | None) -> Response:
    if found is None:
        raise NotFound
    return _told(discovery.shown(found))


def _told(content: str) -> Response:
    return ScimResponse(content)


router = APIRouter(prefix=PREFIX)
for part in (users, groups, everything, about):
    router.include_router(part)
