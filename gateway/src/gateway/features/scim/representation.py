"""Users and teams as SCIM's resources, and the answers that carry them."""

from __future__ import annotations  # the library builds a model for each that an annotation names, in 50 ms

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from crm_contracts.tenancy import Team
from crm_contracts.tenancy import User as Known
from crm_kit.db.session import ReadSession
from crm_kit.errors import MalformedRequest, PreconditionFailed, Text
from crm_kit.http import etag
from crm_kit.http.principal import Principal
from fastapi import Request
from scim2_models import Context, ListResponse, Meta, Reference, Resource, ResponseParameters, SearchRequest
from starlette.responses import JSONResponse, Response

from gateway.features.scim import repository
from gateway.features.scim.errors import refused
from gateway.features.scim.repository import Membership
from gateway.features.scim.schemas import MEDIA_TYPE, PREFIX, Group, Member, ShownEmail, ShownGroup, ShownName, User
from gateway.features.teams.models import TeamRow
from gateway.features.teams.resource import TEAMS
from gateway.features.users.models import UserRow
from gateway.features.users.resource import USERS

MAX_MEMBERS_SHOWN: Final = 10_000
"""In one answer."""


class ScimResponse(JSONResponse):
    """Of JSON that the library wrote."""

    media_type = MEDIA_TYPE

    def render(self, content: str) -> bytes:
        return content.encode()


def user_version(row: UserRow) -> str:
    return f'W/"{row.version}"'


def group_version(row: TeamRow, membership: Membership | None) -> str:
    """Whoever joins or leaves makes another version of the group, though not of the team."""
    membership = membership or Membership()
    return f'W/"{row.version}-{membership.count}-{membership.digest[:16]}"'


async def users(
    session: ReadSession, rows: Sequence[UserRow], caller: Principal, wanted: ResponseParameters[User]
) -> list[User]:
    """With the teams' names where the caller may read those."""
    team_ids = {team_id for row in rows for team_id in row.team_ids}
    named = team_ids and caller.may("teams:read") and asked_for(wanted, "groups")
    names = await repository.team_names(session, team_ids) if named else {}
    return [_user(USERS.events.snapshot(row), user_version(row), names) for row in rows]


def _user(user: Known, version: str, team_names: Mapping[str, str]) -> User:
    name = None if user.name == user.email else user.name
    return User(
        id=user.id,
        external_id=user.external_id,
        user_name=user.email,
        display_name=name,
        name=ShownName(formatted=name) if name else None,
        active=user.status == "active",
        preferred_language=user.language,
        emails=[ShownEmail(value=user.email, type="work", primary=True)],
        groups=[
            ShownGroup(
                value=team.team_id,
                ref=_reference("Group", team.team_id),
                display=team_names.get(team.team_id),
                type="direct",
            )
            for team in user.teams
        ]
        or None,
        meta=_meta("User", user, version),
    )


async def groups(
    session: ReadSession, rows: Sequence[TeamRow], caller: Principal, wanted: ResponseParameters[Group]
) -> list[Group]:
    """With their members where the caller may read users. Raises ScimRefused where these are too many for one answer."""
    team_ids = [row.id for row in rows]
    memberships = await repository.memberships(session, team_ids)
    found: Mapping[str, Mapping[str, str]] = {}
    if caller.may("users:read") and asked_for(wanted, "members"):
        if sum(membership.count for membership in memberships.values()) > MAX_MEMBERS_SHOWN:
            raise refused("tooMany", f"more than {MAX_MEMBERS_SHOWN:,} members: ask with excludedAttributes=members")
        found = await repository.members(session, memberships)
    return [_group(TEAMS.events.snapshot(row), group_version(row, memberships.get(row.id)), found) for row in rows]


def _group(team: Team, version: str, members: Mapping[str, Mapping[str, str]]) -> Group:
    return Group(
        id=team.id,
        display_name=team.name,
        members=[
            Member(value=user_id, ref=_reference("User", user_id), type="User", display=name)
            for user_id, name in members.get(team.id, {}).items()
        ]
        or None,
        meta=_meta("Group", team, version),
    )


def _meta(kind: str, entity: Known | Team, version: str) -> Meta:
    return Meta(
        resource_type=kind,
        created=entity.created_at,
        last_modified=entity.updated_at if entity.version > 1 else entity.created_at,
        location=_place(kind, entity.id),
        version=version,
    )


def _place(kind: str, entity_id: str) -> str:
    """Relative to this server, as everywhere: who stands before it is not known here."""
    return f"{PREFIX}/{kind}s/{entity_id}"


def _reference(kind: str, entity_id: str) -> Any:
    return Reference(_place(kind, entity_id))


def asked_for(wanted: ResponseParameters[Any], name: str) -> bool:
    """Whether an answer is to have this attribute, or a part of it (RFC 7644, section 3.9)."""

    def names(paths: Collection[Any] | None) -> set[str]:
        bindings = [path.resolve() for path in paths or ()]
        return {binding.field_name for binding in bindings if binding is not None}

    if wanted.attributes:
        return name in names(wanted.attributes)
    return not any(
        binding is not None and binding.field_name == name and binding.sub_field_name is None
        for binding in (path.resolve() for path in wanted.excluded_attributes or ())
    )


def resource_response(
    request: Request,
    resource: Resource[Any],
    wanted: ResponseParameters[Any],
    context: Context,
    *,
    version: int,
    status: int = 200,
) -> Response:
    """`version`: the entity's, for the Consistency-Token after a write. 304 where a reader has it already."""
    meta = resource.meta
    assert meta is not None and meta.version is not None and meta.location is not None  # noqa: PT018 one thing: it was made here
    headers = {"ETag": meta.version}
    if request.method != "GET":
        headers["Consistency-Token"] = f"{resource.id}@{version}"
    elif _has_it(request, meta.version):
        return Response(status_code=304, headers=headers)
    if status == 201:
        headers["Location"] = meta.location
    return ScimResponse(resource.model_dump_json(scim_ctx=context, response_parameters=wanted), status, headers)


def list_response(total: int, resources: Sequence[Resource[Any]], asked: SearchRequest[Any], kind: Any) -> Response:
    answer = ListResponse[kind](
        total_results=total,
        start_index=asked.start_index or 1,
        items_per_page=len(resources),
        resources=list(resources),
    )
    content = answer.model_dump_json(scim_ctx=Context.SEARCH_RESPONSE, response_parameters=asked)
    return ScimResponse(content)


def _has_it(request: Request, version: str) -> bool:
    try:
        return _names(request.headers.getlist("if-none-match"), version)
    except etag.InvalidEntityTags:
        return False


def check_if_match(request: Request, version: str) -> None:
    """Weakly compared: RFC 7644 (section 3.14) sends weak tags in If-Match. Raises PreconditionFailed, MalformedRequest."""
    lines = request.headers.getlist("if-match")
    try:
        matches = not lines or _names(lines, version)
    except etag.InvalidEntityTags as error:
        raise MalformedRequest(Text(f"If-Match: {error}", f"If-Match 无效：{error}")) from error
    if not matches:
        text = Text(f"The present version is {version}.", f"当前版本为 {version}。")
        raise PreconditionFailed(text, headers={"ETag": version})


def _names(lines: Sequence[str], version: str) -> bool:
    """Whether the tags of a header name a version. Raises InvalidEntityTags."""
    if not lines:
        return False
    tags = etag.parse_entity_tags(", ".join(lines))
    return tags.any or any(f'W/"{tag.opaque}"' == version for tag in tags.tags)
