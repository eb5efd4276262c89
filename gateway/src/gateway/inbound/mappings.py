"""Mappings: what a payload means, as data. A step makes records of one resource out of a payload, by JMESPath. Pure.

Within `each` the item is looked at; the whole payload is its member `_root`, and of an item of a list within a record `_parent` is
what the list stands in. `_source` tells of the source: `system`, `country`, `currency`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from crm_contracts.types import Input, Slug, by_name
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.inbound.expressions import MAX_LENGTH, EvaluationFailed, InvalidExpression, compiled
from gateway.inbound.functions import timestamp

Target = Literal[
    "contacts",
    "accounts",
    "orders",
    "products",
    "invoices",
    "payments",
    "activities",
    "consents",
    "privacy-requests",
]
Method = Literal["upsert", "update", "decide"]

MAX_STEPS: Final = 30
MAX_PLANNED: Final = 5_000
_MAX_LEAVES: Final = 300
_MAX_KEY: Final = 200
_ADDED: Final = frozenset({"_root", "_parent", "_source"})
_MAX_TREE_DEPTH: Final = 6


def _expression(value: str) -> str:
    try:
        compiled(value)
    except InvalidExpression as error:
        fault = str(error)
        raise PydanticCustomError(
            "expression", "Not an expression: {fault}", {"fault": fault, "zh": f"表达式无效：{fault}"}
        ) from error
    return value


ExpressionText = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=MAX_LENGTH),
    AfterValidator(_expression),
    Field(description="JMESPath over the payload", examples=["customer.email"]),
]


def _leaves(value: JsonValue, depth: int = 0) -> Iterator[str]:
    if depth > _MAX_TREE_DEPTH:
        raise PydanticCustomError("mapping_depth", "Too deep", {"zh": "嵌套过深"})
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part, depth + 1)
    elif value is not None:
        raise PydanticCustomError(
            "mapping_leaf", "Every member is an expression, or an object of expressions",
            {"zh": "每个成员必须是表达式或由表达式组成的对象"},
        )  # fmt: skip


def _tree(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    leaves = list(_leaves(value))
    if len(leaves) > _MAX_LEAVES:
        raise PydanticCustomError("mapping_size", "Too many members", {"zh": "成员过多"})
    for leaf in leaves:
        _expression(leaf)
    return value


Tree = Annotated[
    dict[str, JsonValue],
    AfterValidator(_tree),
    Field(description="By member an expression; an object of `each` and `set` makes a list"),
]


class Reference(Input):
    """Whom or what a record refers to: what an earlier step came to, or what is found by its id in the system."""

    step: Slug | None = None
    resource: Target | None = None
    external_id: ExpressionText | None = None
    email: ExpressionText | None = None
    phone: ExpressionText | None = None
    optional: Annotated[bool, Field(strict=True, description="Left out where there is none, instead of waited for")] = (
        False
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.step is None) == (self.resource is None):
            raise PydanticCustomError("reference", "Name a step or a resource", {"zh": "请指定 step 或 resource"})
        return self


class MappingStep(Input):
    resource: Target
    name: Annotated[Slug | None, Field(description="By which later steps refer to it")] = None
    method: Annotated[
        Method,
        Field(
            description="upsert: found or made; update: changed where it is there, else waited for; "
            "decide: left for somebody to decide"
        ),
    ] = "upsert"
    when: Annotated[ExpressionText | None, Field(description="Only where this is true")] = None
    each: Annotated[ExpressionText | None, Field(description="One record for each item")] = None
    external_id: ExpressionText | None = None
    at: Annotated[ExpressionText | None, Field(description="The sender's own time of this version")] = None
    set: Tree = {}
    add: Annotated[Tree, Field(description="Lists to which items are added by their `external_id`")] = {}
    refs: Annotated[dict[Slug, Reference], Field(max_length=10, json_schema_extra=by_name)] = {}


class TopicMapping(Input):
    steps: Annotated[list[MappingStep], Field(max_length=MAX_STEPS)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reference of a planned record. `planned`: the place of what an earlier step planned."""

    planned: int | None = None
    resource: str | None = None
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be written. `at`: the sender's time of this version, where it says one."""

    resource: Target
    method: Method
    external_id: str | None
    at: datetime | None
    data: Mapping[str, Any]
    add: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    refs: Mapping[str, Wanted] = field(default_factory=dict)


class MappingFailed(ValueError):
    """A mapping does not fit a payload; the text says where in the mapping, and nothing of the payload."""


def plan(mapping: TopicMapping, payload: Any, source: Mapping[str, Any]) -> list[Planned]:
    """Raises MappingFailed."""
    planned: list[Planned] = []
    named: dict[str, int] = {}
    for place, step in enumerate(mapping.steps):
        try:
            for item in _items(step, payload, source):
                if step.when is not None and not compiled(step.when).apply(item):
                    continue
                if len(planned) >= MAX_PLANNED:
                    raise MappingFailed(f"it makes more than {MAX_PLANNED} records")
                planned.append(_planned(step, item, named))
                if step.name is not None:
                    named[step.name] = len(planned) - 1
        except EvaluationFailed as error:
            raise MappingFailed(f"steps/{place}: {error}") from error
    return planned


def _items(step: MappingStep, payload: Any, source: Mapping[str, Any]) -> list[Any]:
    root = {**payload, "_source": source} if isinstance(payload, dict) else payload
    if step.each is None:
        return [root]
    found = compiled(step.each).apply(root)
    items = found if isinstance(found, list) else []
    return [{**item, "_root": root, "_source": source} if isinstance(item, dict) else item for item in items]


def _planned(step: MappingStep, item: Any, named: Mapping[str, int]) -> Planned:
    at = timestamp(compiled(step.at).apply(item)) if step.at is not None else None
    refs = {}
    for member, reference in step.refs.items():
        wanted = _wanted(reference, item, named)
        if wanted is not None:
            refs[member] = wanted
    return Planned(
        resource=step.resource,
        method=step.method,
        external_id=_key(step.external_id, item),
        at=datetime.fromisoformat(at) if at is not None else None,
        data={name: _value(part, item) for name, part in step.set.items()},
        add={name: _value(part, item) or [] for name, part in step.add.items()},
        refs=refs,
    )


def _wanted(reference: Reference, item: Any, named: Mapping[str, int]) -> Wanted | None:
    if reference.step is not None:
        if reference.step in named:
            return Wanted(planned=named[reference.step], optional=reference.optional)
        if reference.optional:
            return None
        raise EvaluationFailed(f"there is no {reference.step!r} before it")
    external_id = _key(reference.external_id, item)
    email, phone = _key(reference.email, item), _key(reference.phone, item)
    if external_id is None and email is None and phone is None and reference.optional:
        return None
    return Wanted(None, reference.resource, external_id, email, phone, reference.optional)


def _key(expression: str | None, item: Any) -> str | None:
    """An id of theirs, as text."""
    value = compiled(expression).apply(item) if expression is not None else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    key = str(value).strip()
    if len(key) > _MAX_KEY:
        raise EvaluationFailed(f"an id has more than {_MAX_KEY} characters")
    return key or None


def _value(part: JsonValue, item: Any) -> Any:
    if isinstance(part, str):
        return _plain(compiled(part).apply(item))
    if not isinstance(part, dict):
        return None
    if isinstance(part.get("each"), str) and isinstance(part.get("set"), dict):
        return _list(part, item)
    made = {name: found for name, each in part.items() if (found := _value(each, item)) is not None}
    return made or None


def _list(part: Mapping[str, JsonValue], item: Any) -> list[Any]:
    found = compiled(str(part["each"])).apply(item)
    around = {"_parent": item}
    if isinstance(item, dict):
        around |= {"_root": item.get("_root", item), "_source": item.get("_source")}
    made = []
    for each in found if isinstance(found, list) else []:
        within = {**each, **around} if isinstance(each, dict) else each
        if (when := part.get("when")) is None or compiled(str(when)).apply(within):
            made.append(_value(part["set"], within))
    return [each for each in made if each is not None]


def _plain(value: Any) -> Any:
    """JMESPath hands over parts of the payload; what it added to them is taken out again."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if name not in _ADDED}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def mapping_of(
    topic: str, own: Mapping[str, TopicMapping] | None, ready: Mapping[str, TopicMapping]
) -> TopicMapping | None:
    """A tenant's own mapping of a topic comes before the ready one; `*` stands for all topics that have none."""
    for mappings in (own or {}, ready):
        found = mappings.get(topic) or mappings.get("*")
        if found is not None:
            return found
    return None


def keys_of(planned: Sequence[Planned]) -> list[str]:
    """What must not be worked on twice at a time, in words: whoever resolves one person for two deliveries makes two of them."""
    keys = set()
    for one in planned:
        if one.external_id is not None:
            keys.add(f"{one.resource}:{one.external_id}")
        if one.resource == "contacts":
            keys |= {f"email:{each.get('address', '')}".lower() for each in _dicts(one.data.get("emails"))}
            keys |= {f"phone:{each.get('number', '')}" for each in _dicts(one.data.get("phones"))}
        for wanted in one.refs.values():
            if wanted.resource is not None and wanted.external_id is not None:
                keys.add(f"{wanted.resource}:{wanted.external_id}")
            keys |= {f"email:{wanted.email}".lower()} if wanted.email else set()
            keys |= {f"phone:{wanted.phone}"} if wanted.phone else set()
    return sorted(keys)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
