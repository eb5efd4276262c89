"""Every statement of SCIM's own: users and teams by filter, and who belongs to which team."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from crm_kit.db.models import EntityRow, columns
from crm_kit.db.session import ReadSession, WriteSession
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array

from gateway.features.scim.filters import Attributes, Filtered, Value, Values, folded
from gateway.features.scim.schemas import PREFIX
from gateway.features.teams.models import TeamRow
from gateway.features.users.models import UserRow

_user: Final = columns(UserRow)
_team: Final = columns(TeamRow)
_t: Final = TeamRow.__table__.alias("t")  # type: ignore[attr-defined]  # SQLAlchemy adds it
_u: Final = UserRow.__table__.alias("u")  # type: ignore[attr-defined]  # as above


def _text(value: str) -> ColumnElement[str]:
    return sa.literal(value, sa.Text())


def _in_a_team(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return sa.exists().where(_t.c.id == sa.any_(_user.team_ids), condition)


def _has_a_member(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return sa.exists().where(_u.c.team_ids.contains(array([_team.id])), condition)


def _common(row: type[EntityRow], kind: str) -> dict[str, Value | Values]:
    c = columns(row)
    return {
        "id": Value(c.id),
        "meta.resource_type": Value(_text(kind)),
        "meta.created": Value(c.created_at),
        # RFC 7643, section 3.1: the same as `created` until it is modified.
        "meta.last_modified": Value(sa.case((c.version > 1, c.updated_at), else_=c.created_at)),
        "meta.location": Value(folded(_text(f"{PREFIX}/{kind}s/") + c.id)),
    }


_named: Final = _user.name != _user.email

USER_ATTRIBUTES: Final[Attributes] = {
    **_common(UserRow, "User"),
    "external_id": Value(_user.external_id, nullable=True),
    "user_name": Value(_user.email_key),
    "display_name": Value(sa.case((_named, folded(_user.name))), nullable=True),
    "name.formatted": Value(sa.case((_named, folded(_user.name))), nullable=True),
    "active": Value(_user.status == "active"),
    "preferred_language": Value(folded(_user.language), nullable=True),
    "emails": Values(
        {"value": Value(_user.email_key), "type": Value(_text("work")), "primary": Value(sa.true())},
        lambda condition: condition,
    ),
    "groups": Values(
        {"value": Value(_t.c.id), "display": Value(folded(_t.c.name)), "type": Value(_text("direct"))},
        _in_a_team,
        "teams:read",
    ),
}

GROUP_ATTRIBUTES: Final[Attributes] = {
    **_common(TeamRow, "Group"),
    "external_id": Value(sa.cast(sa.null(), sa.Text()), nullable=True),
    "display_name": Value(folded(_team.name)),
    "members": Values(
        {"value": Value(_u.c.id), "display": Value(folded(_u.c.name)), "type": Value(_text("user"))},
        _has_a_member,
        "users:read",
    ),
}


async def page(
    session: ReadSession, row: type[EntityRow], where: Filtered, *, skip: int, count: int
) -> tuple[int, Sequence[Any]]:
    """How many there are, and those of them, in the order in which they were made."""
    c = columns(row)
    conditions = [] if where is None else [where]
    total: int = await session.scalar(sa.select(sa.func.count()).select_from(row).where(*conditions))
    if count == 0 or skip >= total:
        return total, []
    statement = sa.select(row).where(*conditions).order_by(c.created_at, c.id).offset(skip).limit(count)
    return total, (await session.scalars(statement)).all()


async def team_names(session: ReadSession, team_ids: Collection[str]) -> dict[str, str]:
    if not team_ids:
        return {}
    found = await session.execute(sa.select(_team.id, _team.name).where(_team.id.in_(team_ids)))
    return {team["id"]: team["name"] for team in found.mappings()}


@dataclass(frozen=True)
class Membership:
    """How many members a team has, and a digest that tells one set of them from another."""

    count: int = 0
    digest: str = "0"


async def memberships(session: ReadSession, team_ids: Collection[str]) -> dict[str, Membership]:
    """Of those teams that have members."""
    if not team_ids:
        return {}
    team_id = sa.func.unnest(sa.literal(list(team_ids), ARRAY(sa.Text()))).column_valued("team_id")
    digest = sa.func.md5(sa.func.string_agg(_user.id, aggregate_order_by(_text(","), _user.id)))
    statement = (
        sa.select(team_id, sa.func.count().label("count"), digest.label("digest"))
        .where(_user.team_ids.contains(array([team_id])))
        .group_by(team_id)
    )
    found = await session.execute(statement)
    return {team["team_id"]: Membership(team["count"], team["digest"]) for team in found.mappings()}


async def members(session: ReadSession, team_ids: Collection[str]) -> dict[str, dict[str, str]]:
    """The names of each team's members by id."""
    found: dict[str, dict[str, str]] = {team_id: {} for team_id in team_ids}
    if not found:
        return found
    statement = sa.select(_user.id, _user.name, _user.team_ids).where(_user.team_ids.overlap(list(team_ids)))
    for user in (await session.execute(statement.order_by(_user.id))).mappings():
        for team_id in found.keys() & set(user["team_ids"]):
            found[team_id][user["id"]] = user["name"]
    return found


async def lock_users(session: WriteSession, user_ids: Collection[str]) -> Sequence[UserRow]:
    """Those that exist, locked in one order, before any of the locks that a user's change takes."""
    statement = sa.select(UserRow).where(_user.id.in_(user_ids)).order_by(_user.id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).all()
