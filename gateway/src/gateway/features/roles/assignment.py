"""Giving roles to users and keys, and what they then grant."""

from collections.abc import Collection, Sequence
from typing import Final

from crm_contracts.tenancy import Role
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant

from gateway.features.roles import repository
from gateway.features.roles.errors import RightsTooLarge
from gateway.features.roles.events import ROLE_EVENTS
from gateway.features.roles.ready import READY
from gateway.features.roles.schemas import ReadyRole

NO_SUCH_ROLE: Final = Text(
    f"There is no such role: it is the id of one, or one of {', '.join(READY)}",
    f"不存在该角色：应为角色 id，或以下之一：{'、'.join(READY)}",
)


_MAX_LENGTH: Final = 32_000
"""Of rights as text: they travel in a header of every request, which servers bound."""


async def unknown_roles(session: WriteSession, roles: Sequence[str]) -> set[str]:
    """Those that are none; until the transaction ends the others stay."""
    made = {role for role in roles if role not in READY}
    if made:
        await repository.lock_holders(session, made)
        made -= {row.id for row in await repository.with_ids(session, made)}
    return made


async def check_roles(session: WriteSession, roles: Sequence[str]) -> None:
    """Each once, and each there is; until the transaction ends none of them goes. Raises ValidationFailed."""
    unknown = await unknown_roles(session, roles)
    faults = []
    for place, role in enumerate(roles):
        if role in roles[:place]:
            faults.append(FieldError(f"/roles/{place}", "repeated", Text("Named twice", "重复")))
        elif role in unknown:
            faults.append(FieldError(f"/roles/{place}", "not_found", NO_SUCH_ROLE))
    if faults:
        raise ValidationFailed(Text("Some roles are not valid; see errors.", "角色无效，见 errors。"), errors=faults)


async def roles_held(session: ReadSession, roles: Sequence[str]) -> list[ReadyRole | Role]:
    """In the order in which their grants are counted."""
    found: list[ReadyRole | Role] = [READY[role] for role in roles if role in READY]
    made = await repository.with_ids(session, [role for role in roles if role not in READY])
    return found + [ROLE_EVENTS.snapshot(row) for row in sorted(made, key=lambda row: row.id)]


async def rights_of(
    session: ReadSession,
    roles: Sequence[str],
    user_id: str | None = None,
    team_ids: Sequence[str] = (),
    colleagues: Collection[str] = (),
) -> Rights:
    """What these roles grant together, to that user with those teams. Raises RightsTooLarge."""
    found = await roles_held(session, roles)
    grants = [
        Grant(frozenset(grant.resources), frozenset(grant.actions), grant.records, dict(grant.fields), grant.where)  # type: ignore[arg-type]  # what was written was checked
        for role in found
        for grant in role.grants
    ]
    admin = any(role.admin for role in found)
    rights = Rights(user_id, team_ids, grants, admin=admin, colleagues=frozenset(colleagues))
    if len(rights.text) > _MAX_LENGTH:
        raise RightsTooLarge
    return rights
