"""The writes that this process has passed on in the last moments, by the customers whose views will show them.

A view follows a write within some tens of milliseconds. Whoever reads a customer right after writing should not have
to know that: until the view has caught up, a read waits for it. `Consistency-Token` promises the same through any
process; this is a courtesy of the one that took the write.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from crm_contracts.ids import prefix_of

REMEMBERED_SECONDS: Final = 2.0
_CUSTOMERS: Final = 20_000
_ENTITIES: Final = 20
CONSISTENCY_TOKEN = re.compile(r"([a-z_]{1,63}_[0-9a-z]{26})@([1-9][0-9]{0,15})")
"""What a write answers: the entity's id and its version."""

_OWNERS: Final = ("contact_id", "account_id", "related_contact_id")
_IS_CUSTOMER: Final = frozenset({"contact", "account"})


class RecentWrites:
    """Bounded in number and time; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: OrderedDict[tuple[str, str], dict[str, tuple[int, float]]] = OrderedDict()

    def note(self, tenant_id: str, token: str, body: bytes) -> None:
        """A write was answered with this Consistency-Token and this entity."""
        match = CONSISTENCY_TOKEN.fullmatch(token)
        if match is None:
            return
        entity_id, version = match[1], int(match[2])
        now = self._clock()
        until = now + REMEMBERED_SECONDS
        for customer_id in _customers(entity_id, body):
            key = (tenant_id, customer_id)
            entities = self._written.setdefault(key, {})
            entities.pop(entity_id, None)  # the newest stand last
            entities[entity_id] = (version, until)
            if len(entities) > _ENTITIES:
                entities.pop(next(iter(entities)))
            self._written.move_to_end(key)
        self._forget(now)

    @property
    def remembered(self) -> int:
        """Customers of whom something is remembered."""
        return len(self._written)

    def _forget(self, now: float) -> None:
        """Those written longest ago stand first: what nobody reads would otherwise stay."""
        while self._written:
            entities = next(iter(self._written.values()))
            _, until = entities[next(reversed(entities))]
            if until > now and len(self._written) <= _CUSTOMERS:
                return
            self._written.popitem(last=False)

    def of(self, tenant_id: str, customer_id: str) -> Mapping[str, int]:
        """The versions that a view of this customer should hold by now."""
        key = (tenant_id, customer_id)
        entities = self._written.get(key)
        if entities is None:
            return {}
        now = self._clock()
        fresh = {entity_id: version for entity_id, (version, until) in entities.items() if until > now}
        if not fresh:
            del self._written[key]
        return fresh

    def seen(self, tenant_id: str, customer_id: str, versions: Mapping[str, int]) -> None:
        """The view holds these by now: nobody need wait for them again."""
        key = (tenant_id, customer_id)
        entities = self._written.get(key, {})
        for entity_id, version in versions.items():
            if entities.get(entity_id, (0, 0.0))[0] == version:
                del entities[entity_id]
        if not entities:
            self._written.pop(key, None)


def _customers(entity_id: str, body: bytes) -> set[str]:
    """Those whose views show the entity."""
    found = {entity_id} if prefix_of(entity_id) in _IS_CUSTOMER else set()
    entity: Any = orjson.loads(body) if body else None
    if isinstance(entity, dict):
        owners = (entity.get(name) for name in _OWNERS)
        found |= {owner for owner in owners if isinstance(owner, str)}
    return found
