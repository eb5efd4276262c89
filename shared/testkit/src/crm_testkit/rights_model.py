"""Who reaches which record, told in the simplest way there is: what the services are compared with."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

GRANTS: dict[str, tuple[str | None, str | None]] = {
    "sales": ("own", "own"),
    "sales_manager": ("team", "team"),
    "support_agent": ("all", "all"),
    "analyst": ("all", None),
    "nothing": (None, None),
}
"""Of the ready roles that are tried: how far each reads contacts, and how far it changes them."""

CLEAR = {"sales": True, "sales_manager": True, "support_agent": True, "analyst": False, "nothing": False}
"""Whether the role sees names; the analyst sees them masked."""

_LEVELS = (None, "own", "team", "all")


@dataclass
class Person:
    roles: list[str] = field(default_factory=list)
    teams: dict[str, bool] = field(default_factory=dict)
    """Leads it, or is a member."""


@dataclass
class Model:
    """People, teams by parent, and records as they were written."""

    people: dict[str, Person] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    accounts: dict[str, Json] = field(default_factory=dict)
    contacts: dict[str, Json] = field(default_factory=dict)
    deals: dict[str, Json] = field(default_factory=dict)

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

    def distance(self, user: str, record: Json, *, writing: bool) -> str:
        """`own`, `team` or `all`: the nearest of what the record says itself and of what it belongs to."""
        teams = self.teams_of(user)
        if record.get("owner_id") == user:
            return "own"
        for share in record.get("shares") or ():
            counts = share["user_id"] == user or share["team_id"] in teams
            if counts and not share["over"] and (share["access"] == "write" or not writing):
                return "own"
        above = [
            self.distance(user, where[record[name]], writing=writing)
            for name, where in (("contact_id", self.contacts), ("account_id", self.accounts))
            if record.get(name) in where
        ]
        owner = self.people.get(record.get("owner_id") or "")
        in_team = record.get("team_id") in teams or (owner is not None and bool(teams & owner.teams.keys()))
        return min([*above, "team" if in_team else "all"], key=_LEVELS.index)

    def reads(self, user: str, record: Json) -> bool:
        distance = self.distance(user, record, writing=False)
        return any(self._reaches(GRANTS[role][0], distance) for role in self.people[user].roles)

    def reads_in_clear(self, user: str, record: Json) -> bool:
        distance = self.distance(user, record, writing=False)
        return any(CLEAR[role] and self._reaches(GRANTS[role][0], distance) for role in self.people[user].roles)

    def changes(self, user: str, record: Json) -> bool:
        distance = self.distance(user, record, writing=True)
        return any(self._reaches(GRANTS[role][1], distance) for role in self.people[user].roles)

    @staticmethod
    def _reaches(level: str | None, distance: str) -> bool:
        return _LEVELS.index(level) >= _LEVELS.index(distance)
