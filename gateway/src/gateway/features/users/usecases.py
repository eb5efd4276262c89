"""What can be done with a user."""

from collections.abc import Mapping, Sequence

from crm_contracts.ids import UserId
from crm_contracts.tenancy import User
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import Matcher, given, one_by_one
from pydantic import JsonValue

from gateway.features.roles.assignment import check_roles
from gateway.features.teams import repository as teams
from gateway.features.users import repository
from gateway.features.users.errors import UserEmailTaken, UserExternalIdTaken
from gateway.features.users.events import USER_EVENTS
from gateway.features.users.models import UserRow
from gateway.features.users.schemas import UserWrite


async def create_user(session: WriteSession, data: UserWrite, _caller: Principal) -> User:
    row = UserRow(id=UserId.new(), name=data.name, email=data.email, email_key="")
    _write(row, data)
    await check_roles(session, row.roles)
    await _check(session, row, row.team_ids)
    return await USER_EVENTS.created(session, row)


async def update_user(session: WriteSession, row: UserRow, data: UserWrite, _caller: Principal) -> None:
    before, known = USER_EVENTS.snapshot(row), set(row.team_ids)
    _write(row, data)
    if row.roles != before.roles:
        await check_roles(session, row.roles)
    await _check(session, row, [team_id for team_id in row.team_ids if team_id not in known])
    await USER_EVENTS.updated(session, row, before)


async def delete_user(session: WriteSession, row: UserRow, _caller: Principal) -> None:
    """Records that refer to them show the reference as unresolved; to keep the name, disable them instead."""
    await USER_EVENTS.deleted(session, row)


def _write(row: UserRow, data: UserWrite) -> None:
    for field in ("name", "email", "language", "status", "external_id"):
        setattr(row, field, getattr(data, field))
    row.email_key = data.email.casefold()
    row.teams = [membership.model_dump(mode="json") for membership in data.teams]
    row.team_ids = [membership.team_id for membership in data.teams]
    row.roles = list(data.roles)


async def _check(session: WriteSession, row: UserRow, joined: Sequence[str]) -> None:
    """Raises ValidationFailed, UserEmailTaken, UserExternalIdTaken."""
    await repository.lock_identities(session)
    await _check_teams(session, row, joined)
    holder = await repository.with_email(session, row.email_key)
    if holder not in (None, row.id):
        raise UserEmailTaken(Text(f"{holder} has it.", f"{holder} 已使用。"), members={"user_id": holder})
    if row.external_id is not None:
        holder = await repository.with_external_id(session, row.external_id)
        if holder not in (None, row.id):
            raise UserExternalIdTaken(Text(f"{holder} has it.", f"{holder} 已使用。"), members={"user_id": holder})


async def _check_teams(session: WriteSession, row: UserRow, joined: Sequence[str]) -> None:
    """Each team once, and those that are joined exist."""
    faults: list[FieldError] = []
    missing = set(joined)
    if joined:
        await teams.lock_members(session, joined)
        missing -= await teams.existing(session, joined)
    for place, team_id in enumerate(row.team_ids):
        if team_id in row.team_ids[:place]:
            faults.append(FieldError(f"/teams/{place}/team_id", "repeated", Text("Named twice", "重复")))
        elif team_id in missing:
            text = Text("There is no such team", "不存在该团队")
            faults.append(FieldError(f"/teams/{place}/team_id", "not_found", text))
    if faults:
        raise ValidationFailed(Text("Some teams are not valid; see errors.", "团队无效，见 errors。"), errors=faults)


def _email_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    return [given(UserWrite, data, "email", name="-").email.casefold()]


def _external_keys(data: Mapping[str, JsonValue], _caller: Principal) -> Sequence[str]:
    external_id = given(UserWrite, data, "external_id", name="-", email="x@example.com").external_id
    assert external_id is not None, "`given` has looked"
    return [external_id]


async def _find_email(session: WriteSession, email_key: str) -> Sequence[str]:
    await repository.lock_identities(session)
    found = await repository.with_email(session, email_key)
    return [found] if found else []


async def _find_external_id(session: WriteSession, external_id: str) -> Sequence[str]:
    await repository.lock_identities(session)
    found = await repository.with_external_id(session, external_id)
    return [found] if found else []


MATCHERS: Mapping[str, Matcher[User]] = {
    "email": Matcher(_email_keys, one_by_one(_find_email), lambda one: [one.email.casefold()]),
    "external_id": Matcher(
        _external_keys, one_by_one(_find_external_id), lambda one: [one.external_id] if one.external_id else []
    ),
}
