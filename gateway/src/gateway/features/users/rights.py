"""What a user may see and do: the one place that makes a person a principal."""

from typing import Final

from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal
from crm_kit.rights import Rights

from gateway.features.roles.assignment import rights_of
from gateway.features.teams.repository import below
from gateway.features.users import repository

_SCOPES: Final = frozenset({"read", "write", "admin"})
"""A person's credential bounds nothing; their rights do."""


async def principal_of_user(session: ReadSession, user_id: str, region: str) -> Principal | None:
    """None where there is no such user, or they are disabled."""
    rights = await rights_of_user(session, user_id)
    return Principal(user_id, session.tenant_id, region, _SCOPES, rights) if rights is not None else None


async def rights_of_user(session: ReadSession, user_id: str) -> Rights | None:
    """None where there is no such user, or they are disabled. Whoever leads a team has those below it too."""
    user = await repository.active(session, user_id)
    if user is None:
        return None
    led = [membership["team_id"] for membership in user.teams if membership["manager"]]
    teams = {*user.team_ids, *(await below(session, led) if led else ())}
    colleagues = await repository.members_of(session, teams) if teams else ()
    return await rights_of(session, user.roles, user.id, sorted(teams), colleagues)
