"""Which tags a contact has by rules. Pure.

What is kept beside a contact is `TagState`: the rules that hold, and which of its tags it has by them alone. All other tags are
somebody's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from crm_kit.conditions import (
    RELATIVE,
    CheckedCondition,
    Comparison,
    Document,
    FieldSet,
    Op,
    comparisons_in,
    evaluate,
    next_change,
)

from contacts_svc.features.facts.rules import KINDS

TAG_FIELD: Final = "tag"

MAX_OWN_TAGS: Final = 200
"""Tags of a contact that somebody gave."""

MAX_ACTIVE: Final = 100
"""Active rules of a tenant: every write tries them."""

MAX_TAGS: Final = MAX_OWN_TAGS + MAX_ACTIVE
"""Of a contact, whoever gave them."""

_NOT_BY: Final = frozenset(
    {
        "updated_at",
        "owner_id",
        "team_id",
        "territory_id",
        "pool_id",
        "pooled",
        "returns_at",
        "restricted",
    }
)
"""What a rule cannot ask for: whose a contact is follows from its tags, by territories, and would lead back to them; and with a
restricted one nothing is done.
"""

TagState = dict[str, Any]
"""As JSON: `given`, the tags that only rules gave; `rules`, by the id of each that holds its `tag`, `since` when, and whether
somebody has taken the tag away since (`taken`).
"""


def taggable(fields: FieldSet, facts: Iterable[Any]) -> FieldSet:
    """What a tag rule may name: of the contact's fields, and of the facts."""
    kept = [field for field in fields if field.name not in _NOT_BY]
    return FieldSet("TaggedContact", [*kept, *facts], declared_under=fields.declared_under)


def kind_of(field_name: str) -> str | None:
    """Of whose facts a field tells, by their resource; None for one of the contact itself."""
    kind = field_name.partition(".")[0]
    return kind if kind in KINDS else None


@dataclass(frozen=True)
class ActiveTagRule:
    id: str
    name: str
    tag: str
    condition: CheckedCondition
    time_zone: ZoneInfo

    @classmethod
    def of(cls, id_: str, name: str, tag: str, condition: CheckedCondition, time_zone: str) -> Self:
        """Raises LookupError where this machine knows no such time zone."""
        return cls(id_, name, tag, condition, ZoneInfo(time_zone))

    @cached_property
    def asks_facts(self) -> bool:
        return any(kind_of(test.field.name) is not None for test in comparisons_in(self.condition))

    @cached_property
    def is_timed(self) -> bool:
        return any(test.op in RELATIVE for test in comparisons_in(self.condition))

    @cached_property
    def asks_tags(self) -> bool:
        return any(test.field.name == TAG_FIELD for test in comparisons_in(self.condition))

    def hangs_on(self, tag: str) -> bool:
        """Whether what it says may change with a tag."""
        tests = (test for test in comparisons_in(self.condition) if test.field.name == TAG_FIELD)
        return any(_is_about(test, tag) for test in tests)


def _is_about(test: Comparison, tag: str) -> bool:
    match test.op, test.value:
        case (Op.EQ | Op.NE | Op.CONTAINS, value):
            return tag == value
        case (Op.IN | Op.NOT_IN, tuple() as values):
            return tag in values
        case (Op.STARTS_WITH, str() as value):
            return tag.startswith(value)
        case _:
            return True


class TagCycle(ValueError):
    """Rules that hang on one another's tags; `rules` in their order, the first hangs on the last."""

    def __init__(self, rules: Sequence[ActiveTagRule]) -> None:
        super().__init__(" → ".join(each.id for each in rules))
        self.rules = tuple(rules)


def in_order(rules: Iterable[ActiveTagRule]) -> list[ActiveTagRule]:
    """Each behind those on whose tags it hangs, so that all are decided by asking each once. Raises TagCycle."""
    waiting = sorted(rules, key=lambda rule: rule.id)
    giving: dict[str, list[ActiveTagRule]] = {}
    for rule in waiting:
        giving.setdefault(rule.tag, []).append(rule)
    ordered: dict[str, ActiveTagRule] = {}
    path: list[ActiveTagRule] = []

    def place(rule: ActiveTagRule) -> None:
        if rule.id in ordered:
            return
        if rule in path:
            raise TagCycle(path[path.index(rule) :])
        path.append(rule)
        if rule.asks_tags:
            for tag, others in giving.items():
                if rule.hangs_on(tag):
                    for other in others:
                        place(other)
        path.pop()
        ordered[rule.id] = rule

    for rule in waiting:
        place(rule)
    return list(ordered.values())


class Tagged(NamedTuple):
    """What becomes of a contact. `due_at`: until then it stays so, if nobody writes anything; None: for ever."""

    tags: list[str]
    state: TagState
    due_at: datetime | None


def own_tags(tags: Iterable[str], state: Mapping[str, Any]) -> list[str]:
    """Those that somebody gave."""
    given = state.get("given", ())
    return [tag for tag in tags if tag not in given]


def with_given(tags: Iterable[str], state: Mapping[str, Any]) -> list[str]:
    """What to write for people's tags to be these, and for none that a rule gave to be taken away."""
    return list(dict.fromkeys([*tags, *state.get("given", ())]))


def tagged(
    rules: Sequence[ActiveTagRule], record: Document, state: Mapping[str, Any], *, now: datetime, stands: frozenset[str]
) -> Tagged:
    """`rules`: all that are active, in order. `record`: with its facts, and its tags as they were written. `stands`: the ids of
    rules that are not asked, since nothing has changed that they name.

    A tag that somebody gave is theirs. One that a rule gave stays while one that gives it holds; where it is missing, somebody
    has taken it away, and the rules that hold now give it no more until they hold anew.
    """
    written: list[str] = list(record["tags"])  # type: ignore[call-overload]  # a list of texts, as the contact has it
    given, known = state.get("given", ()), state.get("rules", {})
    own = own_tags(written, state)
    tags, holding, due = dict.fromkeys(own), {}, []
    for rule in rules:
        document = {**record, "tags": list(tags)} if rule.asks_tags else record
        before = known.get(rule.id)
        before = before if before is not None and before["tag"] == rule.tag else None
        if rule.id in stands:
            holds = before is not None
        else:
            here = now.astimezone(rule.time_zone) if rule.is_timed else now
            holds = evaluate(rule.condition, document, now=here)
            due += [next_change(rule.condition, document, now=here)] if rule.is_timed else []
        if not holds:
            continue
        since, taken = now.isoformat(), False
        if before is not None:
            since = before["since"]
            taken = rule.tag not in written or (before.get("taken", False) and rule.tag in given)
        holding[rule.id] = {"tag": rule.tag, "since": since, **({"taken": True} if taken else {})}
        if not taken:
            tags[rule.tag] = None
    kept = [tag for tag in dict.fromkeys(written) if tag in tags]
    result = [*kept, *(tag for tag in tags if tag not in kept)]
    present = {"given": [tag for tag in result if tag not in own], "rules": holding} if holding else {}
    return Tagged(result, present, min((each for each in due if each is not None), default=None))


def standing_still(rules: Iterable[ActiveTagRule], record: Document, before: Document) -> frozenset[str]:
    """The rules on facts that need not be asked after a change of the contact itself: the facts are not even read for them."""
    return frozenset(
        rule.id
        for rule in rules
        if rule.asks_facts
        and not rule.asks_tags
        and not any(
            test.field.in_document(record) != test.field.in_document(before)
            for test in comparisons_in(rule.condition)
            if kind_of(test.field.name) is None
        )
    )


def deciding(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the rules that hold, or do not hold, anew."""
    old, new = before.get("rules", {}), after.get("rules", {})
    return iter(sorted(id_ for id_ in {*old, *new} if old.get(id_) != new.get(id_)))
