"""Who reaches which record, told in the simplest way there is: what the services are compared with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

Json = dict[str, Any]


@dataclass(frozen=True)
class Given:
    """What a role gives on records of one kind: how far they are read and changed, whether names are clear, and from
    which source alone.
    """

    read: str | None
    change: str | None = None
    clear: bool = True
    source: str | None = None


ROLES: Final[Mapping[str, Mapping[str, tuple[Given, ...]]]] = {
    "sales": dict.fromkeys(("contacts", "accounts", "deals"), (Given("own", "own"),)),
    "sales_manager": dict.fromkeys(("contacts", "accounts", "deals"), (Given("team", "team"),)),
    "support_agent": dict.fromkeys(("contacts", "accounts"), (Given("all", "all"),)),
    "analyst": {
        "contacts": (Given("all", clear=False),),
        "accounts": (Given("all"),),
        "deals": (Given("all"),),
    },
    "web shop": {"contacts": (Given("all", "all", source="web"),)},
    "fair": {"contacts": (Given("team", clear=False), Given("own", "own", source="fair"))},
}
"""Ready roles, and two of the tenant's own."""

_LEVELS: Final = (None, "own", "team", "all")


def own_roles() -> Iterator[tuple[str, list[Json]]]:
    """The names and grants of those that are not ready."""
    for name in ("web shop", "fair"):
        grants: list[Json] = [{"resources": ["customers"], "actions": ["read"], "records": "all"}]
        for resource, given in ROLES[name].items():
            for one in given:
                where = {"field": "source", "op": "eq", "value": one.source} if one.source else None
                grants.append(
                    {
                        "resources": [resource],
                        "actions": ["read", "update"] if one.change else ["read"],
                        "records": one.read,
                        "fields": {"open": "write", "personal": "write" if one.clear else "masked"},
                        "where": where,
                    }
                )
        yield name, grants


@dataclass
class Person:
    roles: list[str] = field(default_factory=list)
    teams: dict[str, bool] = field(default_factory=dict)
    """Leads it, or is a member."""

    def given(self, kind: str) -> list[Given]:
        return [one for role in self.roles for one in ROLES[role].get(kind, ())]


@dataclass
class Model:
    """People, teams by parent, and records as they were written, by kind."""

    people: dict[str, Person] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    records: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {kind: {} for kind in ("contacts", "accounts", "deals")}
    )

    def is_below(self, team: str | None, above: str) -> bool:
        """Whether a team is another, or below it."""
        while team is not None:
            if team == above:
                return True
            team = self.parents[team]
        return False

    def teams_of(self, user: str) -> set[str]:
        mine = self.people[user].teams
        return {
            team
            for team in self.parents
            if any(team == one or (leads and self.is_below(team, one)) for one, leads in mine.items())
        }

    def distance(self, user: str, record: Json, now: datetime, *, writing: bool) -> str:
        """`own`, `team` or `all`: the nearest of what the record says itself and of what it belongs to."""
        teams = self.teams_of(user)
        if record.get("owner_id") == user:
            return "own"
        for share in record.get("shares") or ():
            counts = share["user_id"] == user or share["team_id"] in teams
            over = share["until"] is not None and datetime.fromisoformat(share["until"]) <= now
            if counts and not over and (share["access"] == "write" or not writing):
                return "own"
        above = [
            self.distance(user, self.records[kind][record[name]], now, writing=writing)
            for name, kind in (("contact_id", "contacts"), ("account_id", "accounts"))
            if record.get(name) in self.records[kind]
        ]
        owner = self.people.get(record.get("owner_id") or "")
        in_team = record.get("team_id") in teams or (owner is not None and bool(teams & owner.teams.keys()))
        return min([*above, "team" if in_team else "all"], key=_LEVELS.index)

    def hand_over(self, kinds: list[str], leaver: str, heir: str | None, follow: set[str]) -> dict[str, int]:
        """How many records of each kind change hands, and with them what belongs to them of the same owner."""
        given: dict[str, set[str]] = {kind: set() for kind in self.records}
        for kind in kinds:
            given[kind] |= {one for one, record in self.records[kind].items() if record.get("owner_id") == leaver}
        for kind, name, above in (
            ("contacts", "account_id", "accounts"),
            ("deals", "account_id", "accounts"),
            ("deals", "contact_id", "contacts"),
        ):
            if kind in follow:
                given[kind] |= {
                    one
                    for one, record in self.records[kind].items()
                    if record.get("owner_id") == leaver and record.get(name) in given[above]
                }
        for kind, ids in given.items():
            for one in ids:
                self.records[kind][one]["owner_id"] = heir
        return {kind: len(ids) for kind, ids in given.items() if ids}

    def reads(self, user: str, kind: str, record: Json, now: datetime, *, clear: bool = False) -> bool:
        """At all, or with its name in `clear`."""
        distance = self.distance(user, record, now, writing=False)
        return any(
            self._reaches(given.read, distance) and self._holds(given, record) and (given.clear or not clear)
            for given in self.people[user].given(kind)
        )

    def changes(self, user: str, kind: str, record: Json, now: datetime) -> bool:
        distance = self.distance(user, record, now, writing=True)
        return any(
            self._reaches(given.change, distance) and self._holds(given, record)
            for given in self.people[user].given(kind)
        )

    @staticmethod
    def _holds(given: Given, record: Json) -> bool:
        return given.source is None or record.get("source") == given.source

    @staticmethod
    def _reaches(level: str | None, distance: str) -> bool:
        return _LEVELS.index(level) >= _LEVELS.index(distance)
