"""What somebody may do with which records, and what they see of them: compiled from their roles. Pure.

A grant says: these actions on these resources, as far as the records are one's own, the team's or all, and with that
access to members of each sensitivity; one with a condition (`where`) reaches those records alone of which it holds. What
holds for a record is the most that the grants which reach it give: what is seen of it by those that let it be read, what
may be written by those that grant the writing.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self, get_args

import orjson
from crm_contracts.sensitivity import SENSITIVITIES, Mask, Sensitivity

Action = Literal["read", "create", "update", "delete", "assign", "export"]
"""`assign`: to another owner or team, and sharing. `export`: in bulk."""

Level = Literal["own", "team", "all"]
"""`own`: records that the user owns, that belong to one of theirs, or that are shared with them. `team`: those of
their teams too, of the teams below where they lead one, and of these teams' members. `all`: every one.
"""

Access = Literal["hidden", "masked", "read", "write"]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
ACCESSES: Final[tuple[Access, ...]] = get_args(Access)
EVERY_RESOURCE: Final = "*"

NAMED_ALONE: Final = frozenset({"audit-log", "dead-letters"})
"""Resources that show what others hold, as it was: a role must name them, or administer access."""

EVERYBODYS: Final = frozenset({"access"})
"""Resources that tell whoever asks about themselves: they take no grant."""

_LEVEL_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}
_ACCESS_RANK: Final = {access: rank for rank, access in enumerate(ACCESSES)}
WRITING: Final[tuple[Action, ...]] = ("create", "update")


def _most(accesses: Iterable[Access]) -> Access:
    return max(accesses, key=_ACCESS_RANK.__getitem__, default="hidden")


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """One line of a role. A sensitivity that `fields` does not name is hidden. `where`: a condition over the record's fields."""

    resources: frozenset[str]
    actions: frozenset[Action]
    level: Level
    fields: Mapping[Sensitivity, Access]
    where: Mapping[str, Any] | None = None

    def covers(self, resource: str) -> bool:
        return resource in self.resources or (EVERY_RESOURCE in self.resources and resource not in NAMED_ALONE)


@dataclass(frozen=True)
class RecordRights:
    """What holds for the records that lie at one distance: what may be done, what is seen by sensitivity, and which
    sensitivities an action may write.
    """

    actions: frozenset[Action]
    seen: Mapping[Sensitivity, Access]
    written: Mapping[Action, frozenset[Sensitivity]]

    @property
    def is_seen(self) -> bool:
        """Whether such records are seen at all."""
        return "read" in self.actions

    def shown(self, value: Any, sensitivity: Sensitivity, mask: Mask | None) -> Any:
        """What is seen of a value of this sensitivity; None where nothing is."""
        if self.reads(sensitivity):
            return value
        return mask(value) if self.seen[sensitivity] == "masked" and mask is not None else None

    def reads(self, sensitivity: Sensitivity) -> bool:
        return _ACCESS_RANK[self.seen[sensitivity]] >= _ACCESS_RANK["read"]

    @cached_property
    def plans(self) -> dict[Any, Any]:
        """What these rights leave of each type of entity (`sights.py`), once somebody has asked."""
        return {}

    @cached_property
    def is_clear(self) -> bool:
        """Whether nothing of a record is hidden or masked."""
        return all(self.reads(each) for each in SENSITIVITIES)


EVERYTHING: Final = RecordRights(
    frozenset(ACTIONS), dict.fromkeys(SENSITIVITIES, "write"), dict.fromkeys(WRITING, frozenset(SENSITIVITIES))
)
NOTHING: Final = RecordRights(frozenset(), dict.fromkeys(SENSITIVITIES, "hidden"), {})


Reach = tuple[Level, Grant | None]
"""How far something reaches: within a level, those records of which the condition of a grant holds, if one is given."""

Holding = frozenset[int]
"""Which of a resource's conditioned grants have conditions that hold for a record, by their places."""

UNCONDITIONED: Final[Holding] = frozenset()
"""As if no condition held: what counts where the record itself is not at hand."""


class ResourceRights:
    """The grants of one resource, by how near a record is: `own` is reached by every level, `all` by one alone."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = tuple(grants)
        self.conditioned = tuple(grant for grant in self._grants if grant.where is not None)
        self._at: dict[tuple[Level, Holding], RecordRights] = {}

    def at(self, level: Level, holding: Holding = UNCONDITIONED) -> RecordRights:
        """For a record of which `level` is the least that reaches it, and those conditions hold."""
        found = self._at.get((level, holding))
        if found is None:
            found = self._at[level, holding] = self._combined(level, holding)
        return found

    def _combined(self, level: Level, holding: Holding) -> RecordRights:
        held = [grant for place, grant in enumerate(self.conditioned) if place in holding]
        counting = [*(grant for grant in self._grants if grant.where is None), *held]
        reaching = [grant for grant in counting if _LEVEL_RANK[grant.level] >= _LEVEL_RANK[level]]
        reading = [grant for grant in reaching if "read" in grant.actions]
        return RecordRights(
            frozenset(action for grant in reaching for action in grant.actions),
            {each: _most(grant.fields.get(each, "hidden") for grant in reading) for each in SENSITIVITIES},
            {
                action: frozenset(
                    each
                    for grant in reaching
                    if action in grant.actions
                    for each in SENSITIVITIES
                    if grant.fields.get(each) == "write"
                )
                for action in WRITING
            },
        )

    def at_most(self, level: Level) -> RecordRights:
        """As if every condition held."""
        return self.at(level, self._every)

    @cached_property
    def _every(self) -> Holding:
        return frozenset(range(len(self.conditioned)))

    def widest(self, action: Action, readable: Collection[Sensitivity] = ()) -> Level | None:
        """The farthest records on which the action is granted without a condition, with members of these sensitivities
        readable.
        """
        for level in reversed(LEVELS):
            here = self.at(level)
            if action in here.actions and all(here.reads(each) for each in readable):
                return level
        return None

    def reading(self, sensitivity: Sensitivity | None = None) -> tuple[Reach, ...]:
        """The records that may be read, with members of this sensitivity in clear."""
        level = self.widest("read", () if sensitivity is None else [sensitivity])
        plain = ((level, None),) if level is not None else ()
        if level == "all":
            return plain
        return plain + tuple(
            (grant.level, grant)
            for grant in self.conditioned
            if "read" in grant.actions
            and (sensitivity is None or grant.fields.get(sensitivity, "hidden") in ("read", "write"))
        )

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Those that make a difference, nearest first; the last reaches farthest.

        Where a condition is given for a level, what lies within it is told apart: another that gives the same beyond it may
        not hold.
        """
        conditioned = {grant.level for grant in self.conditioned}
        reaching = [(level, self.at(level)) for level in LEVELS]
        return tuple(
            level
            for (level, here), beyond in zip(reaching, [*reaching[1:], None], strict=True)
            if level in conditioned or (here.actions and (beyond is None or here != beyond[1]))
        )


class Rights:
    """Somebody's rights as they travel in an internal token. Equal where their text is.

    `user_id` and `team_ids` say which records are own and the team's; `admin`: may manage users, roles and keys.
    `colleagues`: who is in those teams. They stay where the rights are compiled: services look that up for themselves.
    """

    def __init__(
        self,
        user_id: str | None,
        team_ids: Iterable[str],
        grants: Iterable[Grant],
        *,
        admin: bool,
        colleagues: frozenset[str] = frozenset(),
    ) -> None:
        self.user_id = user_id
        self.team_ids = tuple(sorted(team_ids))
        self.grants = tuple(grants)
        self.admin = admin
        self.colleagues = colleagues
        self._of: dict[str, ResourceRights] = {}

    @cached_property
    def text(self) -> str:
        document = {
            "user": self.user_id,
            "teams": self.team_ids,
            "admin": self.admin,
            "grants": [
                [sorted(grant.resources), sorted(grant.actions), grant.level, dict(grant.fields)]
                + ([grant.where] if grant.where is not None else [])
                for grant in self.grants
            ],
        }
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what `text` did not write."""
        try:
            document: dict[str, Any] = orjson.loads(text)
            grants = [
                Grant(frozenset(resources), frozenset(actions), level, fields, *condition)
                for resources, actions, level, fields, *condition in document["grants"]
            ]
            if any(grant.level not in LEVELS or set(grant.fields.values()) - set(ACCESSES) for grant in grants):
                raise ValueError("a level or an access is not known")
            return cls(document["user"], document["teams"], grants, admin=document["admin"] is True)
        except (KeyError, TypeError) as error:
            raise ValueError("these are no rights") from error

    def on(self, resource: str) -> ResourceRights:
        """By the name of the resource in permissions, which is its plural."""
        found = self._of.get(resource)
        if found is None:
            found = self._of[resource] = ResourceRights(grant for grant in self.grants if grant.covers(resource))
        return found

    def may(self, resource: str, action: str) -> bool:
        """Whether some records may be treated so; `write` is any action but reading."""
        if resource in EVERYBODYS:
            return True
        granted = self.on(resource).at_most("own").actions
        return bool(granted - {"read", "export"}) if action == "write" else action in granted

    @cached_property
    def is_unlimited(self) -> bool:
        """Whether they reach whatever there is."""
        return self.admin and any(
            EVERY_RESOURCE in grant.resources
            and grant.level == "all"
            and grant.where is None
            and grant.actions >= set(ACTIONS)
            and all(grant.fields.get(each) == "write" for each in SENSITIVITIES)
            for grant in self.grants
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rights) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)
