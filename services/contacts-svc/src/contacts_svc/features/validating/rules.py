"""Which rules a record breaks. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_kit.conditions import CheckedCondition, Document, Field, comparisons_in, evaluate
from crm_kit.errors import FieldError, Text
from crm_kit.http.problems import json_pointer
from crm_kit.rights import CUSTOM


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """`at`: the field at which an error points."""

    id: str
    code: str
    message: Text
    condition: CheckedCondition
    when: CheckedCondition | None
    at: Field | None


def broken_rules(
    rules: Sequence[ActiveRule], record: Document, before: Document | None, *, now: datetime
) -> Iterator[FieldError]:
    """What a record breaks that is written. `before`: what it was; None for a new one.

    Where nothing has changed of what a rule names, it is not asked: so no rule keeps a record from being changed that was there
    before it.
    """
    for rule in rules:
        if before is not None and not _has_changed(rule, record, before):
            continue
        if rule.when is not None and not evaluate(rule.when, record, now=now):
            continue
        if not evaluate(rule.condition, record, now=now):
            yield FieldError(pointer_to(rule.at), rule.code, rule.message, rule.id)


def _has_changed(rule: ActiveRule, record: Document, before: Document) -> bool:
    named = (test.field for part in (rule.condition, rule.when) for test in comparisons_in(part))
    return any(field.in_document(record) != field.in_document(before) for field in named)


def pointer_to(field: Field | None) -> str:
    """Where clients write what the field tells of; of a list the whole of it."""
    if field is None:
        return ""
    if field.part_of == CUSTOM:
        return json_pointer(field.name.split(".")[:2])
    path = field.part_of or (field.value if isinstance(field.value, str) else field.name)
    steps = path.split(".")
    return json_pointer(steps[:1] if field.type.is_list else steps)
