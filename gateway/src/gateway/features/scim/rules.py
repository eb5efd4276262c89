"""From what identity providers say of people and groups to what Relata keeps. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from crm_contracts.tenancy import Membership
from crm_contracts.tenancy import User as Known
from pydantic import JsonValue

from gateway.features.scim.schemas import UserState, WrittenName

_EAST_ASIAN: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff·]+"
)


def full_name(name: WrittenName | None) -> str | None:
    """One name of its parts: family name first and without a space where Chinese, Japanese or Korean write it."""
    if name is None:
        return None
    if name.formatted:
        return name.formatted
    given, family = (name.given_name or "").strip(), (name.family_name or "").strip()
    if given and family and _EAST_ASIAN.fullmatch(given + family):
        return family + given
    return f"{given} {family}".strip() or None


def language_tag(said: str | None) -> str | None:
    """The first tag: preferredLanguage is written like Accept-Language, and some write `en_US`."""
    if not said:
        return None
    return said.split(",")[0].partition(";")[0].strip().replace("_", "-") or None


def state_of(user: Known) -> UserState:
    """What a PATCH is applied to. Where no name was ever given the address stands in the name's place."""
    name = None if user.name == user.email else user.name
    return UserState(
        id=user.id,
        external_id=user.external_id,
        user_name=user.email,
        display_name=name,
        name=WrittenName(formatted=name) if name else None,
        active=user.status == "active",
        preferred_language=user.language,
        locale=user.language,
    )


def whole(state: UserState) -> dict[str, JsonValue]:
    """The members of a user that a POST or PUT says. Without `active` nobody is disabled, nor enabled again."""
    written: dict[str, JsonValue] = {
        "external_id": state.external_id or None,
        "email": state.user_name,
        "name": state.display_name or full_name(state.name) or state.user_name,
        "language": language_tag(state.preferred_language) or language_tag(state.locale),
    }
    return {**written, **_status(state)}


def changes(before: UserState, after: UserState) -> dict[str, JsonValue]:
    """The members of a user that a PATCH led to. Of several names of one thing the one that changed counts."""
    written: dict[str, JsonValue] = {
        "external_id": after.external_id or None,
        "email": after.user_name,
        "name": _name(before, after),
        "language": language_tag(_language(before, after)),
    }
    return {**written, **_status(after)}


def _status(state: UserState) -> dict[str, JsonValue]:
    return {} if state.active is None else {"status": "active" if state.active else "disabled"}


def _name(before: UserState, after: UserState) -> str | None:
    if after.display_name != before.display_name:
        return after.display_name or after.user_name
    name = after.name or WrittenName()
    formatted_before = before.name.formatted if before.name else None
    if name.formatted and name.formatted != formatted_before:
        return name.formatted
    if name.given_name and name.family_name:
        # One part alone says nothing: which part of the present name it replaces is not known.
        return full_name(WrittenName(given_name=name.given_name, family_name=name.family_name))
    return before.display_name or after.user_name


def _language(before: UserState, after: UserState) -> str | None:
    return after.preferred_language if after.preferred_language != before.preferred_language else after.locale


def with_membership(teams: Sequence[Membership], team_id: str, *, belongs: bool) -> list[JsonValue]:
    """A user's teams with one joined or left; who leads a team goes on leading it."""
    kept: list[JsonValue] = [
        {"team_id": team.team_id, "manager": team.manager} for team in teams if belongs or team.team_id != team_id
    ]
    if belongs and all(team.team_id != team_id for team in teams):
        kept.append({"team_id": team_id})
    return kept
