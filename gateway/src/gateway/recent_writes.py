"""The writes that were passed on at this port in the last moments, by the customers whose views will show them.

A view follows a write within some tens of milliseconds. Whoever reads a customer right after writing should not have
to know that: until the view has caught up, a read waits for it. `Consistency-Token` promises the same through any
gateway; this is a courtesy of the one that took the write, whichever of its processes did and whichever is asked.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson
from crm_contracts.ids import prefix_of
from crm_kit.siblings import Siblings

REMEMBERED_SECONDS: Final = 2.0
_CUSTOMERS: Final = 20_000
_ENTITIES: Final = 20
CONSISTENCY_TOKEN = re.compile(r"([a-z_]{1,63}_[0-9a-z]{26})@([1-9][0-9]{0,15})")
"""What a write answers: the entity's id and its version."""

_Written = OrderedDict[tuple[str, str], dict[str, tuple[int, float]]]
"""By tenant and whose: versions of entities, and until when they are remembered."""

_OWNERS: Final = ("contact_id", "account_id", "related_contact_id")
_IS_CUSTOMER: Final = frozenset({"contact", "account"})


class _Note(NamedTuple):
    """A write: of which entity, whose views show it, by whom, until when it is remembered."""

    tenant_id: str
    entity_id: str
    version: int
    customers: set[str]
    by: str
    until: float


class RecentWrites:
    """Bounded in number and time; `clock` gives seconds, the same to all of `siblings`. Kept by customer and by who wrote."""

    def __init__(self, clock: Callable[[], float], siblings: Siblings | None = None) -> None:
        self._clock = clock
        self._written: _Written = OrderedDict()
        self._writers: _Written = OrderedDict()
        # What is lost is older than anybody waits for.
        shared = siblings or Siblings()
        self._tell = shared.channel("recent-writes", self._hear, lambda: None)
        self._tell_seen = shared.channel("recent-writes-seen", self._hear_seen, lambda: None)

    def note(self, tenant_id: str, token: str, body: bytes, by: str = "") -> None:
        """A write of somebody's was answered with this Consistency-Token and this entity."""
        match = CONSISTENCY_TOKEN.fullmatch(token)
        if match is None:
            return
        entity_id, version = match[1], int(match[2])
        if customers := _customers(entity_id, body):
            note = _Note(tenant_id, entity_id, version, customers, by, self._clock() + REMEMBERED_SECONDS)
            self._hear(note)
            self._tell(note)

    def _hear(self, note: _Note) -> None:
        tenant_id, entity_id, version, customers, by, until = note
        now = self._clock()
        for written, whose in [*((self._written, each) for each in customers), (self._writers, by)]:
            key = (tenant_id, whose)
            entities = written.setdefault(key, {})
            known, _ = entities.pop(entity_id, (0, 0.0))  # the newest stand last
            entities[entity_id] = (max(version, known), until)
            if len(entities) > _ENTITIES:
                entities.pop(next(iter(entities)))
            written.move_to_end(key)
        self._forget(self._written, now)
        self._forget(self._writers, now)

    @property
    def remembered(self) -> int:
        """Customers of whom something is remembered."""
        return len(self._written)

    def _forget(self, written: _Written, now: float) -> None:
        """Those written longest ago stand first: what nobody reads would otherwise stay."""
        while written:
            entities = next(iter(written.values()))
            _, until = entities[next(reversed(entities))]
            if until > now and len(written) <= _CUSTOMERS:
                return
            written.popitem(last=False)

    def of(self, tenant_id: str, customer_id: str) -> Mapping[str, int]:
        """The versions that a view of this customer should hold by now."""
        return self._fresh(self._written, (tenant_id, customer_id))

    def by(self, tenant_id: str, writer: str) -> Mapping[str, int]:
        """The versions that the views should hold by now of what somebody has written about customers."""
        return self._fresh(self._writers, (tenant_id, writer))

    def _fresh(self, written: _Written, key: tuple[str, str]) -> Mapping[str, int]:
        entities = written.get(key)
        if entities is None:
            return {}
        now = self._clock()
        fresh = {entity_id: version for entity_id, (version, until) in entities.items() if until > now}
        if not fresh:
            del written[key]
        return fresh

    def seen(self, tenant_id: str, customer_id: str, versions: Mapping[str, int]) -> None:
        """The view holds these by now: nobody need wait for them again."""
        _drop(self._written, (tenant_id, customer_id), versions)
        self._tell_seen(("written", (tenant_id, customer_id), dict(versions)))

    def seen_by(self, tenant_id: str, writer: str, versions: Mapping[str, int]) -> None:
        """As `seen`, of what somebody has written."""
        _drop(self._writers, (tenant_id, writer), versions)
        self._tell_seen(("writers", (tenant_id, writer), dict(versions)))

    def _hear_seen(self, seen: tuple[str, tuple[str, str], Mapping[str, int]]) -> None:
        which, key, versions = seen
        _drop(self._writers if which == "writers" else self._written, key, versions)


def _drop(written: _Written, key: tuple[str, str], versions: Mapping[str, int]) -> None:
    entities = written.get(key, {})
    for entity_id, version in versions.items():
        if entities.get(entity_id, (0, 0.0))[0] == version:
            del entities[entity_id]
    if not entities:
        written.pop(key, None)


def _customers(entity_id: str, body: bytes) -> set[str]:
    """Those whose views show the entity."""
    found = {entity_id} if prefix_of(entity_id) in _IS_CUSTOMER else set()
    entity: Any = orjson.loads(body) if body else None
    if isinstance(entity, dict):
        owners = (entity.get(name) for name in _OWNERS)
        found |= {owner for owner in owners if isinstance(owner, str)}
    return found
