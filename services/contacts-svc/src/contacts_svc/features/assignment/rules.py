"""Which territory assigns a record, and whose the record then is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, Protocol

import orjson
from crm_kit.conditions import RELATIVE, CheckedCondition, Document, FieldSet, evaluate, parse

_MOVED_BY_ASSIGNING: Final = frozenset({"team_id", "owner_id", "territory_id", "updated_at"})


@dataclass(frozen=True, slots=True)
class ActiveTerritory:
    id: str
    condition: CheckedCondition
    team_id: str
    owner_id: str | None


class Assignment(NamedTuple):
    """Whose a record is. The last three tell which territory it follows, and which team and owner that one gave it."""

    team_id: str | None
    owner_id: str | None
    territory_id: str | None
    territory_team_id: str | None
    territory_owner_id: str | None


@cache
def territory_fields(fields: FieldSet) -> FieldSet:
    """Of a resource's fields, those that a territory may name: what assigning changes would chase its own tail.

    Nor may it count from now: that changes without an event.
    """
    kept = [field for field in fields if field.name not in _MOVED_BY_ASSIGNING]
    return FieldSet(f"{fields.name}Territory", kept, without=RELATIVE, declared_under=fields.declared_under)


@lru_cache(maxsize=1000)
def stored_condition(fields: FieldSet, text: str) -> CheckedCondition:
    """A condition that was checked when it was stored, as JSON; `fields`: what it may name."""
    return parse(orjson.loads(text), fields)


def first_that_holds(
    territories: Sequence[ActiveTerritory], record: Document, *, now: datetime
) -> ActiveTerritory | None:
    """`territories` in their order."""
    return next((each for each in territories if evaluate(each.condition, record, now=now)), None)


def reassigned(present: Assignment, holding: ActiveTerritory | None, *, gives_owner: bool = True) -> Assignment:
    """What the territory that holds, or none, makes of a record.

    A team that no territory gave was named by somebody, and then the record follows none. Otherwise what the former one
    gave is taken back; an owner that somebody named stays. `gives_owner`: not to what is of a pool, whose owners claim it.
    """
    team_id, owner_id, _, given_team, given_owner = present
    if team_id is not None and team_id != given_team:
        return Assignment(team_id, owner_id, None, None, None)
    named = owner_id if owner_id != given_owner else None
    if holding is None:
        return Assignment(None, named, None, None, None)
    gives = holding.owner_id if named is None and gives_owner else None
    return Assignment(holding.team_id, named or gives, holding.id, holding.team_id, gives)


class Assignable(Protocol):
    """A row of what territories assign: the members of Assignment, and all that conditions test."""

    team_id: str | None
    owner_id: str | None
    territory_id: str | None
    territory_team_id: str | None
    territory_owner_id: str | None

    def model_dump(self) -> dict[str, Any]: ...


def follow(row: Assignable, territories: Sequence[ActiveTerritory], *, now: datetime) -> None:
    """Assigns the row to the first of the territories that holds, or to none, unless somebody named its team."""
    if not territories and row.territory_id is row.territory_team_id is row.territory_owner_id is None:
        return
    holding = first_that_holds(territories, row.model_dump(), now=now) if territories else None
    present = Assignment(*(getattr(row, name) for name in Assignment._fields))
    pooled = getattr(row, "pool_id", None) is not None
    for name, value in reassigned(present, holding, gives_owner=not pooled)._asdict().items():
        setattr(row, name, value)
