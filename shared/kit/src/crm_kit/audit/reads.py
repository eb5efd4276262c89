"""Who read what of a person in clear: told in the audit log before it is answered, once in a while for each reader and record.

Told are reads by people and by keys with roles: what a system without either reads, it reads all of, all day.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from crm_contracts.ids import prefix_of
from crm_contracts.sensitivity import PRIVATE, Sensitivity, classes_of
from crm_contracts.types import Entity
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from crm_kit.audit.entries import Entry, entry
from crm_kit.http.principal import Principal
from crm_kit.rights import CUSTOM, Sights
from crm_kit.siblings import Siblings

SENSITIVE: Final[tuple[Sensitivity, ...]] = ("personal", "private")

_ONCE_IN_SECONDS: Final = 600.0
_SIZE: Final = 50_000

_READS: Final = "crm_audit_reads"
_NOTHING: Final[Collection[Any]] = (None, [], {}, "")


@dataclass(frozen=True, slots=True)
class Read:
    """A record of which members of these sensitivities are shown in clear; of none, where there is nothing to tell."""

    entity_id: str
    shown: frozenset[Sensitivity]


@dataclass(frozen=True, slots=True)
class Reads:
    """Of one request: those that were not told of lately."""

    reader: tuple[str | None, str, str]
    operation: str
    reads: list[Read] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        return [
            entry(
                prefix_of(each.entity_id) or "",
                "read",
                entity_id=each.entity_id,
                details={"shown": sorted(each.shown), "operation": self.operation},
            )
            for each in self.reads
        ]


class ReadsTold:
    """What the processes of a port have told of lately: a reader who comes back to a record within ten minutes is told of once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, siblings: Siblings | None = None) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        # What is lost is told of once more.
        self._tell = (siblings or Siblings()).channel("reads-told", self._keep, lambda: None)

    def fresh(self, reader: tuple[str | None, str, str], reads: Iterable[Read]) -> list[Read]:
        """Those of them that are still to be told."""
        since = self._clock() - _ONCE_IN_SECONDS
        return [each for each in reads if self._told.get((*reader, each.entity_id, each.shown), since) <= since]

    def is_told(self, principal: Principal, read: Read) -> bool:
        """Whether nothing is to be told of a read by this principal."""
        return not read.shown or not self.fresh(_reader(principal), (read,))

    def keep(self, reads: Reads) -> None:
        """These are told: call it once they are written."""
        keys = [(*reads.reader, each.entity_id, each.shown) for each in reads.reads]
        self._keep(keys)
        self._tell(keys)

    def _keep(self, keys: Iterable[tuple[object, ...]]) -> None:
        now = self._clock()
        for key in keys:
            self._told[key] = now
            self._told.move_to_end(key)
        while len(self._told) > _SIZE:
            self._told.popitem(last=False)


def note_answer(request: HTTPConnection, model: BaseModel, sights: Sights | None) -> None:
    """Notes what an answer shows in clear."""
    note_reads(request, (_shown(entity, sights) for entity in _entities(model)))


def note_reads(request: HTTPConnection, reads: Iterable[Read]) -> None:
    """Notes them, of who is told of, where they were not told lately; the request's route writes them before it answers."""
    principal: Principal = request.state.principal
    if principal.rights is None:
        return
    reader = _reader(principal)
    noted: Reads = request.scope.setdefault(_READS, Reads(reader, f"{request.scope['method']} {request.scope['path']}"))
    noted.reads.extend(request.app.state.reads_told.fresh(reader, (read for read in reads if read.shown)))


def _reader(principal: Principal) -> tuple[str | None, str, str]:
    return principal.tenant_id, principal.subject, principal.via


def noted_reads(request: HTTPConnection) -> Reads | None:
    found: Reads | None = request.scope.get(_READS)
    return found


def _entities(model: BaseModel) -> Iterator[Entity]:
    if isinstance(model, Entity):
        yield model
        return
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, BaseModel):
                yield from _entities(each)


def _shown(entity: Entity, sights: Sights | None) -> Read:
    """What is empty shows nothing."""
    entity_id = str(entity.id)  # type: ignore[attr-defined]  # every entity type has its own id type
    rights = sights.of(entity_id) if sights is not None else None
    held = {each for name, each in _sensitive(type(entity)) if getattr(entity, name) not in _NOTHING}
    if sights is not None and (declared := sights.declared(type(entity))):
        held |= {declared.get(name, PRIVATE).sensitivity for name in getattr(entity, CUSTOM)} & set(SENSITIVE)
    return Read(entity_id, frozenset(each for each in held if rights is None or rights.reads(each)))


@cache
def _sensitive(model: type[Entity]) -> tuple[tuple[str, Sensitivity], ...]:
    classes = classes_of(model).items()
    return tuple((name, declared.sensitivity) for name, declared in classes if declared.sensitivity in SENSITIVE)
