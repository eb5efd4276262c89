"""What a caller sees of records: which they may see at all, and what is left of each one in an answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

from crm_contracts.sensitivity import ALWAYS_SHOWN, Classified, Mask, classes_of
from crm_contracts.types import Entity
from pydantic import BaseModel

from crm_kit.rights.grants import RecordRights, Rights

Json = dict[str, Any]


class UnseenEntity(RuntimeError):
    """An answer holds an entity of which nobody has asked whether the caller may see it: it must not go out."""


class Sights:
    """Of one request whose caller may not see everything: their rights, and what holds for each record that it touches."""

    def __init__(self, rights: Rights) -> None:
        self.rights = rights
        self._of: dict[str, RecordRights] = {}
        self._changing: dict[str, RecordRights] = {}

    @classmethod
    def of_caller(cls, rights: Rights | None) -> Self | None:
        """None where there is nothing that the caller may not."""
        return None if rights is None or rights.is_unlimited else cls(rights)

    def note(self, entity_id: str, rights: RecordRights, changing: RecordRights | None = None) -> None:
        """`changing`: what holds for the action that the record was looked at for, which a share for reading is not good for."""
        self._of[entity_id] = rights
        if changing is not None:
            self._changing[entity_id] = changing

    def changing(self, entity_id: str) -> RecordRights | None:
        """What may be written is decided by these."""
        return self._changing.get(entity_id)

    def of(self, entity_id: str) -> RecordRights | None:
        """None of a record that was not looked for under these rights."""
        return self._of.get(entity_id)

    def shown(self, model: BaseModel) -> Json:
        """The JSON of an answer, each entity in it without what may not be seen. Raises UnseenEntity."""
        document: Json = model.model_dump(mode="json")
        return self._redacted(model, document)

    def _redacted(self, model: BaseModel, document: Json) -> Json:
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                document[name] = self._redacted(value, document[name])
            elif isinstance(value, list | tuple):
                document[name] = [
                    self._redacted(element, shown) if isinstance(element, BaseModel) else shown
                    for element, shown in zip(value, document[name], strict=True)
                ]
        if not isinstance(model, Entity):
            return document
        entity_id = str(model.id)  # type: ignore[attr-defined]  # every entity type has its own id type
        rights = self._of.get(entity_id)
        if rights is None:
            raise UnseenEntity(f"{type(model).__name__} {entity_id}")
        return document if rights.is_clear else redacted(type(model), document, rights)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What rights leave of an entity, decided once: the members to take out and those to mask."""

    hidden: tuple[str, ...]
    masked: tuple[tuple[str, Mask], ...]
    known: frozenset[str]
    shows_unknown: bool

    @classmethod
    def of(cls, classes: Mapping[str, Classified], rights: RecordRights) -> Self:
        hidden, masked = [], []
        for name, declared in classes.items():
            access = rights.seen[declared.sensitivity]
            if name in ALWAYS_SHOWN or access in ("read", "write"):
                continue
            if access == "masked":
                masked.append((name, declared.mask or _hide))
            else:
                hidden.append(name)
        return cls(tuple(hidden), tuple(masked), frozenset(classes), rights.reads("private"))


def _hide(_value: object) -> None:
    """Stands for a mask where there is none: nothing may be seen."""


def redacted(
    model: type[BaseModel],
    document: Mapping[str, Any],
    rights: RecordRights,
    besides: Mapping[str, Classified] = MappingProxyType({}),
) -> Json:
    """An entity's JSON without the members that may not be seen, and those that may be masked only, masked.

    `redacted` names the members that are missing, `masked` those that are masked. `besides` classes what the JSON says
    besides the entity's members; what nothing classes is private. What is empty may be seen where a mask of it may.
    """
    key = (model, *besides)
    plan: _Plan | None = rights.plans.get(key)
    if plan is None:
        plan = rights.plans[key] = _Plan.of({**besides, **classes_of(model)}, rights)
    shown = dict(document)
    missing = [name for name in plan.hidden if shown.pop(name, _ABSENT) is not _ABSENT]
    if not plan.shows_unknown:
        unknown = [name for name in shown if name not in plan.known]
        for name in unknown:
            del shown[name]
        missing += unknown
    masked = []
    for name, mask in plan.masked:
        if (value := shown.get(name)) in _NOTHING:
            continue
        seen = mask(value)
        if seen is None:
            del shown[name]
            missing.append(name)
        else:
            shown[name] = seen
            masked.append(name)
    if missing:
        shown["redacted"] = missing
    if masked:
        shown["masked"] = masked
    return shown


_ABSENT: Final = object()
_NOTHING: Final[Collection[Any]] = (None, [], {})
