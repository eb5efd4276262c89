"""What a user may see and do."""

from crm_kit.db.session import ReadSession
from crm_kit.rights import Rights

from gateway.features.roles.assignment import rights_of
from gateway.features.teams.repository import below
from gateway.features.users import repository


async def rights_of_user(session: ReadSession, user_id: str) -> Rights | None:
    """None where there is no such user, or they are disabled. Whoever leads a team has those below it too."""
    user = await repository.active(session, user_id)
    if user is None:
        return None
    led = [membership["team_id"] for membership in user.teams if membership["manager"]]
    teams = {*user.team_ids, *(await below(session, led) if led else ())}
    colleagues = await repository.members_of(session, teams) if teams else ()
    return await rights_of(session, user.roles, user.id, sorted(teams), colleagues)
