"""What identity providers do with users and groups: each by the use cases of users and teams."""

from __future__ import annotations  # the library builds a model for each that an annotation names, in 50 ms

from collections.abc import Collection, Mapping
from typing import Final

from crm_contracts.tenancy import Team, User
from crm_kit.db.session import WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from scim2_models import PatchOp

from gateway.features.scim import repository, rules
from gateway.features.scim.errors import ScimRefused, refusals, refused
from gateway.features.scim.membership import ids_of, patched_group
from gateway.features.scim.schemas import POLICY, GroupState, UserState
from gateway.features.teams.models import TeamRow
from gateway.features.teams.resource import TEAMS
from gateway.features.teams.usecases import create_team, delete_team, update_team
from gateway.features.users.models import UserRow
from gateway.features.users.resource import USERS
from gateway.features.users.usecases import create_user, update_user

MAX_MEMBERS_CHANGED: Final = 1_000
"""In one request: each is a change of a user, with its event."""


async def create_scim_user(session: WriteSession, said: UserState, caller: Principal) -> User:
    return await create_user(session, USERS.validated(rules.whole(said)), caller)


async def replace_user(session: WriteSession, row: UserRow, said: UserState, caller: Principal) -> None:
    """What SCIM does not speak of, such as who leads a team, stays."""
    await update_user(session, row, USERS.patched(USERS.events.snapshot(row), rules.whole(said)), caller)


async def patch_user(session: WriteSession, row: UserRow, patch: PatchOp[UserState], caller: Principal) -> None:
    user = USERS.events.snapshot(row)
    before, after = rules.state_of(user), rules.state_of(user)
    with refusals():
        patch.patch(after, scim_policy=POLICY)
    await update_user(session, row, USERS.patched(user, rules.changes(before, after)), caller)


async def create_group(session: WriteSession, said: GroupState, caller: Principal) -> Team:
    team = await create_team(session, TEAMS.validated({"name": said.display_name}), caller)
    await _change_members(session, team.id, joining=_members_of(said), leaving=(), caller=caller)
    return team


async def replace_group(session: WriteSession, row: TeamRow, said: GroupState, caller: Principal) -> None:
    """Without `members` those who belong to it stay: some rename a group like that."""
    await _rename(session, row, said.display_name, caller)
    if said.members is None:
        return
    present, wanted = (await repository.members(session, [row.id]))[row.id].keys(), _members_of(said)
    await _change_members(session, row.id, joining=wanted - present, leaving=present - wanted, caller=caller)


async def patch_group(session: WriteSession, row: TeamRow, patch: PatchOp[GroupState], caller: Principal) -> None:
    present = (await repository.members(session, [row.id]))[row.id]
    with refusals():
        after, wanted = patched_group(GroupState(id=row.id, display_name=row.name), present, patch)
    await _rename(session, row, after.display_name, caller)
    joining, leaving = wanted - present.keys(), present.keys() - wanted
    await _change_members(session, row.id, joining=joining, leaving=leaving, caller=caller)


async def delete_group(session: WriteSession, row: TeamRow, caller: Principal) -> None:
    """Its members leave it first, as SCIM has it. Raises TeamInUse where it has teams below."""
    present = (await repository.members(session, [row.id]))[row.id]
    await _change_members(session, row.id, joining=(), leaving=present.keys(), caller=caller)
    await delete_team(session, row, caller)


def _members_of(said: GroupState) -> set[str]:
    return ids_of([member.model_dump(scim_ctx=None) for member in said.members or []])


async def _rename(session: WriteSession, row: TeamRow, name: str | None, caller: Principal) -> None:
    await update_team(session, row, TEAMS.patched(TEAMS.events.snapshot(row), {"name": name}), caller)


async def _change_members(
    session: WriteSession, team_id: str, *, joining: Collection[str], leaving: Collection[str], caller: Principal
) -> None:
    """Raises ScimRefused for somebody whom there is not, and ValidationFailed for who is in too many teams."""
    wanted: Mapping[str, bool] = {user_id: user_id in joining for user_id in (*joining, *leaving)}
    if not wanted:
        return
    if len(wanted) > MAX_MEMBERS_CHANGED:
        raise refused("tooMany", f"at most {MAX_MEMBERS_CHANGED:,} members join or leave at once: send them in parts")
    rows = await repository.lock_users(session, wanted)
    if missing := sorted(set(joining) - {row.id for row in rows}):
        shown = missing[0] if missing[0].isprintable() and len(missing[0]) <= 100 else "…"
        text = Text(f"members: there is no user {shown}.", f"members：不存在用户 {shown}。")
        raise ScimRefused("invalidValue", text)
    for row in rows:
        user = USERS.events.snapshot(row)
        teams = rules.with_membership(user.teams, team_id, belongs=wanted[row.id])
        await update_user(session, row, USERS.patched(user, {"teams": teams}), caller)
