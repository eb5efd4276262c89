"""How near records are to whoever asks. Pure: what `crm_kit.rights.Ownership` asks of tables, asked of documents."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from crm_kit.rights import Level, Rights
from crm_kit.rights.grants import LEVELS

from gateway.features.customers.entities import Json, moment

_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}


def nearest(levels: Iterable[Level]) -> Level:
    return min(levels, key=_RANK.__getitem__, default="all")


class Nearness:
    """Of a caller with these rights, at this moment."""

    def __init__(self, rights: Rights, now: datetime) -> None:
        self._user_id = rights.user_id
        self._teams = frozenset(rights.team_ids)
        self._colleagues = rights.colleagues
        self._now = now
        self.changes_at: datetime | None = None
        """When the first of the shares ends that counted so far; None while none does."""

    def of(self, record: Json) -> Level:
        """The least level that reaches a record by what it says itself: a deal, a ticket, a contact …"""
        owner = record.get("owner_id") or record.get("assignee_id")
        if (self._user_id is not None and owner == self._user_id) or self._is_shared(record.get("shares") or ()):
            return "own"
        return "team" if record.get("team_id") in self._teams or owner in self._colleagues else "all"

    def _is_shared(self, shares: Iterable[Json]) -> bool:
        return any(self._counts(share) for share in shares)

    def _counts(self, share: Json) -> bool:
        mine = share["team_id"] in self._teams or (self._user_id is not None and share["user_id"] == self._user_id)
        if not mine or share["until"] is None:
            return mine
        until = moment(share["until"])
        if until <= self._now:
            return False
        self.changes_at = until if self.changes_at is None else min(self.changes_at, until)
        return True
