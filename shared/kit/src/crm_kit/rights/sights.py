"""What a caller sees of records: which they may see at all, and what is left of each one in an answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from crm_contracts.sensitivity import ALWAYS_SHOWN, PRIVATE, Classified, Mask, classes_of
from crm_contracts.types import Entity
from pydantic import BaseModel

from crm_kit.rights.grants import RecordRights, Rights

Json = dict[str, Any]
Classes = Mapping[str, Classified]

CUSTOM: Final = "custom"
"""The member under which values stand that a tenant has declared and classed one by one."""

UNDECLARED: Final[Classes] = MappingProxyType({})
"""Of who has declared nothing: the member is one value, and private."""


class UnseenEntity(RuntimeError):
    """An answer holds an entity of which nobody has asked whether the caller may see it: it must not go out."""


class Sights:
    """Of one request whose caller may not see everything: their rights, and what holds for each record that it touches."""

    def __init__(self, rights: Rights) -> None:
        self.rights = rights
        self._of: dict[str, RecordRights] = {}
        self._changing: dict[str, RecordRights] = {}
        self._declared: dict[type[BaseModel], Classes] = {}

    @classmethod
    def of_caller(cls, rights: Rights | None) -> Self | None:
        """None where there is nothing that the caller may not."""
        return None if rights is None or rights.is_unlimited else cls(rights)

    def note(self, entity_id: str, rights: RecordRights, changing: RecordRights | None = None) -> None:
        """`changing`: what holds for the action that the record was looked at for, which a share for reading is not good for."""
        self._of[entity_id] = rights
        if changing is not None:
            self._changing[entity_id] = changing

    def declare(self, model: type[BaseModel], classes: Classes) -> None:
        """How sensitive the custom values of such entities are, by name."""
        self._declared[model] = classes

    def declared(self, model: type[BaseModel]) -> Classes:
        return self._declared.get(model, UNDECLARED)

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
        if rights.is_clear:
            return document
        return redacted(type(model), document, rights, declared=self.declared(type(model)))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What rights leave of an entity, decided once: the members to take out and those to mask."""

    hidden: tuple[str, ...]
    masked: tuple[tuple[str, Mask], ...]
    known: frozenset[str]
    shows_unknown: bool

    @classmethod
    def of(cls, classes: Classes, rights: RecordRights) -> Self:
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
    besides: Classes = UNDECLARED,
    declared: Classes = UNDECLARED,
) -> Json:
    """An entity's JSON without the members that may not be seen, and those that may be masked only, masked.

    `redacted` names the members that are missing, `masked` those that are masked. `besides` classes what the JSON says
    besides the entity's members; what nothing classes is private. `declared` classes what stands under `custom`. What is empty
    may be seen where a mask of it may.
    """
    key = (model, *besides)
    plan: _Plan | None = rights.plans.get(key)
    if plan is None:
        plan = rights.plans[key] = _Plan.of({**besides, **classes_of(model)}, rights)
    shown = dict(document)
    custom = custom_seen(shown[CUSTOM], declared, rights) if declared and CUSTOM in shown else None
    missing = [
        name
        for name in plan.hidden
        if not (name == CUSTOM and custom is not None) and shown.pop(name, _ABSENT) is not _ABSENT
    ]
    if not plan.shows_unknown:
        unknown = [name for name in shown if name not in plan.known]
        for name in unknown:
            del shown[name]
        missing += unknown
    masked = []
    for name, mask in plan.masked:
        if (value := shown.get(name)) in _NOTHING or (name == CUSTOM and custom is not None):
            continue
        seen = mask(value)
        if seen is None:
            del shown[name]
            missing.append(name)
        else:
            shown[name] = seen
            masked.append(name)
    if custom is not None:
        shown[CUSTOM] = custom.shown
        missing += custom.missing
        masked += custom.masked
    if missing:
        shown["redacted"] = missing
    if masked:
        shown["masked"] = masked
    return shown


class CustomSeen(NamedTuple):
    """What is seen of custom values; what is missing and masked of them, as `redacted` and `masked` name it."""

    shown: Json
    missing: list[str]
    masked: list[str]


def custom_seen(values: Mapping[str, Any], declared: Classes, rights: RecordRights) -> CustomSeen | None:
    """None where nothing is seen whatever they are: then the member as a whole is missing.

    Fields that are hidden are named whether or not the record has a value: that it has one is not to be seen either. What
    nobody declared is private, and `custom.*` stands for it.
    """
    seen = {name: each for name, each in declared.items() if rights.seen[each.sensitivity] != "hidden"}
    if not seen and not rights.reads(PRIVATE.sensitivity):
        return None
    shown: Json = {}
    masked = []
    for name, value in values.items():
        each = declared.get(name, PRIVATE)
        left = rights.shown(value, each.sensitivity, each.mask)
        if left is None:
            continue
        shown[name] = left
        if not rights.reads(each.sensitivity):
            masked.append(f"{CUSTOM}.{name}")
    unseen = [name for name, each in declared.items() if not rights.reads(each.sensitivity)]
    missing = [f"{CUSTOM}.{name}" for name in unseen if name not in seen or seen[name].mask is None]
    if not rights.reads(PRIVATE.sensitivity):
        missing.append(f"{CUSTOM}.*")
    return CustomSeen(shown, missing, masked)


_ABSENT: Final = object()
_NOTHING: Final[Collection[Any]] = (None, [], {})
