"""Whose a resource's records are: declared once, compiled to the SQL condition by which every path reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, any_, false, func, literal, or_, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from crm_kit.db.models import CodePointText
from crm_kit.rights.grants import Action, Level, Rights
from crm_kit.rights.tables import OWNER_SHARE, RECORD_OWNER, RECORD_SHARE, TEAM_MEMBER

Column = ColumnElement[Any]

_TEXTS = ARRAY(CodePointText)
_SHARED: Final[Mapping[Action, bool]] = {"read": False, "export": False, "create": True, "update": True}
"""The actions that a share is good for, on the record and what belongs to it, and whether it must be one for writing."""


@dataclass(frozen=True, slots=True)
class Through:
    """A record belongs to that which `column` refers to: who reaches that one reaches it."""

    column: Column
    owned: "Ownership"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """How a record is somebody's: by its own `owner` and `team`, by being shared, and `through` what it belongs to.

    `id`: the record's own, where it can be shared or others belong to it. `falls_to_creator`: what a user creates without
    an owner is theirs, unless `unowned_by` says that nobody is to own it. `given_with`: members besides by which a record
    is given to somebody, or kept from somebody. One that declares nothing belongs to the tenant as a whole: only grants of
    the level `all` reach it.
    """

    id: Column | None = None
    owner: Column | None = None
    team: Column | None = None
    shares: Table | None = None
    through: tuple[Through, ...] = ()
    falls_to_creator: bool = False
    unowned_by: Column | None = None
    given_with: tuple[Column, ...] = ()

    @property
    def assigned_by(self) -> frozenset[str]:
        """The members by which a record is given to somebody."""
        named = {str(column.key) for column in (self.owner, self.team, *self.given_with) if column is not None}
        return frozenset(named if self.shares is None else {*named, "shares"})

    @property
    def decided_by(self) -> frozenset[str]:
        """The members by which somebody reaches a record."""
        return self.assigned_by | {str(each.column.key) for each in self.through}

    def reached(self, level: Level, rights: Rights, action: Action = "read") -> ColumnElement[bool]:
        """The records that lie within `level` of whoever has these rights. A share reaches what it was given for."""
        if level == "all":
            return true()
        arms = [*self._held(level, rights), *self._shared(rights, action)]
        for each in self.through:
            assert each.owned.id is not None, "what others belong to has an id"
            those = select(each.owned.id).where(each.owned.reached(level, rights, action))
            arms.append(each.column == any_(_ids(those)))
        return or_(false(), *arms)

    def _held(self, level: Level, rights: Rights) -> list[ColumnElement[bool]]:
        arms: list[ColumnElement[bool]] = []
        if self.owner is not None and rights.user_id is not None:
            arms.append(self.owner == rights.user_id)
        if level == "team" and rights.team_ids:
            teams = _texts(rights.team_ids)
            if self.team is not None:
                arms.append(self.team == any_(teams))
            if self.owner is not None:
                members = select(TEAM_MEMBER.c.id).where(TEAM_MEMBER.c.team_ids.op("&&")(teams))
                arms.append(self.owner == any_(_ids(members)))
        return arms

    def _shared(self, rights: Rights, action: Action) -> list[ColumnElement[bool]]:
        grantees = [*rights.team_ids, *([rights.user_id] if rights.user_id else [])]
        if self.id is None or self.shares is None or not grantees or action not in _SHARED:
            return []
        c = self.shares.c
        those = select(c.record_id).where(
            c.grantee_id == any_(_texts(grantees)), or_(c.until.is_(None), c.until > func.now())
        )
        return [self.id == any_(_ids(those.where(c.writes) if _SHARED[action] else those))]


TENANT_WIDE = Ownership()


def shares_column() -> Any:
    """With whom a record is shared; with nobody by default, also where a release that does not know it writes."""
    return Field(default=[], sa_column_kwargs={"server_default": text("'[]'::jsonb")}, sa_type=JSONB, nullable=False)


def owned_by(c: Any, owner: str = "owner_id", **more: Any) -> Ownership:
    """Of a table that has an owner, a team and shares."""
    return Ownership(id=c.id, owner=c[owner], team=c.team_id, shares=RECORD_SHARE, **more)


def through_copies(*columns: Column) -> tuple[Through, ...]:
    """For references to another service's records, whose owners `follow_owners` keeps."""
    return tuple(Through(column, COPIES) for column in columns)


def _copies() -> Ownership:
    c, above = RECORD_OWNER.c, RECORD_OWNER.alias("above").c
    belongs = Ownership(id=above.id, owner=above.owner_id, team=above.team_id, shares=OWNER_SHARE)
    return Ownership(
        id=c.id, owner=c.owner_id, team=c.team_id, shares=OWNER_SHARE, through=(Through(c.above_id, belongs),)
    )


COPIES: Final = _copies()
"""Of what `follow_owners` keeps."""


def _texts(values: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(values), _TEXTS)


def _ids(statement: Select[Any]) -> ColumnElement[Any]:
    """As an array made once a statement: each arm of the condition can then use an index of its own."""
    return func.array(statement.scalar_subquery(), type_=_TEXTS)
