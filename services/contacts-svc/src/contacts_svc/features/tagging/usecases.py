"""How a contact keeps its tags in step with the rules, whoever changes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from crm_contracts.contacts import Contact
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed

from contacts_svc.features.facts.repository import facts_by_contact
from contacts_svc.features.facts.rules import NO_FACTS
from contacts_svc.features.tagging.repository import TagRules
from contacts_svc.features.tagging.rules import MAX_OWN_TAGS, own_tags, standing_still, tagged


class TaggedRow(Protocol):
    """A row that holds all that conditions test."""

    id: str
    tags: list[str]
    restricted: bool
    rule_tags: dict[str, Any]
    rules_due_at: datetime | None

    def model_dump(self) -> dict[str, Any]: ...


async def keep_tagged(
    session: WriteSession,
    standing: TagRules,
    row: TaggedRow,
    before: Contact | None,
    *,
    now: datetime,
    is_new: bool = False,
) -> None:
    """`row`: as it is about to be written, its tags as somebody wrote them; `before`: what it was, where only what has changed
    of it matters. Of one that is new there are no facts yet. Raises ValidationFailed.
    """
    own = own_tags(row.tags, row.rule_tags)
    if len(own) > MAX_OWN_TAGS and (before is None or own != own_tags(before.tags, row.rule_tags)):
        text = Text(f"At most {MAX_OWN_TAGS} tags can be given", f"最多可添加 {MAX_OWN_TAGS} 个标签")
        raise ValidationFailed(text, errors=[FieldError("/tags", "too_long", text)])
    rules = await session.standing(standing)
    if not rules and not row.rule_tags and row.rules_due_at is None:
        return
    if row.restricted:
        row.rules_due_at = None
        return
    record = row.model_dump()
    stands = standing_still(rules, record, before.model_dump()) if before is not None else frozenset()
    facts: Mapping[str, Any] = NO_FACTS
    if not is_new and any(rule.asks_facts and rule.id not in stands for rule in rules):
        facts = (await facts_by_contact(session, [row.id]))[row.id]
    after = tagged(rules, {**record, **facts}, row.rule_tags, now=now, stands=stands)
    # What was not asked may be due as before: sooner than it need be is no fault.
    due = [moment for moment in (after.due_at, row.rules_due_at if stands else None) if moment is not None]
    row.tags, row.rule_tags, row.rules_due_at = after.tags, after.state, min(due, default=None)
