"""What can be done with a tag rule, and what follows from it for contacts."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from crm_contracts.ids import TagRuleId
from crm_contracts.tag_rules import TagRule
from crm_kit import context
from crm_kit.conditions import InvalidCondition, comparisons_in, parse
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import Text
from crm_kit.http.principal import Principal
from crm_kit.resources import condition_problem
from crm_kit.timers import set_timer

from contacts_svc.features.assignment.repository import standing_territories
from contacts_svc.features.assignment.rules import follow
from contacts_svc.features.contacts.events import CONTACT_EVENTS
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import FIELDS as CONTACT_FIELDS
from contacts_svc.features.contacts.repository import TAG_FIELDS, TAG_RULES
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.facts.repository import facts_by_contact
from contacts_svc.features.facts.rules import NO_FACTS, Facts
from contacts_svc.features.tag_reasons.usecases import readable
from contacts_svc.features.tag_rules import repository
from contacts_svc.features.tag_rules.errors import TagRulesInACircle, TooManyTagRules
from contacts_svc.features.tag_rules.events import TAG_RULE_EVENTS
from contacts_svc.features.tag_rules.rules import ACTOR, DUE, EVALUATION, EVERY, MAX_RULES, PAGE, VIA
from contacts_svc.features.tag_rules.schemas import TagRuleWrite
from contacts_svc.features.tagging.models import TagRuleRow
from contacts_svc.features.tagging.repository import active_tag_rules, lock_tag_rules, tag_fields
from contacts_svc.features.tagging.rules import (
    MAX_ACTIVE,
    ActiveTagRule,
    TagCycle,
    Tagged,
    deciding,
    in_order,
    tagged,
)
from contacts_svc.features.territories.repository import lock_free

_CUSTOM_FIELDS = declared_for("contacts")
_TERRITORIES = standing_territories("contacts", ContactRow, CONTACT_FIELDS)
_AT_ONCE, _IN_A_MOMENT = timedelta(0), timedelta(seconds=0.2)
_EVERY_RULE: Final = frozenset[str]()


class Step(NamedTuple):
    """How far an evaluation has come: next are the contacts beyond the id `after`."""

    after: str = ""
    evaluated: int = 0


async def create_rule(session: WriteSession, data: TagRuleWrite, caller: Principal) -> TagRule:
    """Raises ValidationFailed, TooManyTagRules, TagRulesInACircle."""
    row = TagRuleRow(id=TagRuleId.new(), **data.model_dump())
    await _decide_anew(session, row, caller)
    return await TAG_RULE_EVENTS.created(session, row)


async def update_rule(session: WriteSession, row: TagRuleRow, data: TagRuleWrite, caller: Principal) -> None:
    """Another name or description alone tags nobody. Raises ValidationFailed, TooManyTagRules, TagRulesInACircle."""
    before = TAG_RULE_EVENTS.snapshot(row)
    written = data.model_dump()
    for member, value in written.items():
        setattr(row, member, value)
    if any(written[member] != getattr(before, member) for member in ("tag", "where", "time_zone", "active")):
        await _decide_anew(session, row, caller)
    elif row.name != before.name:
        await lock_tag_rules(session)
    await TAG_RULE_EVENTS.updated(session, row, before)


async def delete_rule(session: WriteSession, row: TagRuleRow, _caller: Principal) -> None:
    """The tags that it gave go behind it."""
    await evaluate_anew(session)
    await TAG_RULE_EVENTS.deleted(session, row)


async def _decide_anew(session: WriteSession, row: TagRuleRow, caller: Principal) -> None:
    """Raises Forbidden where the condition asks for what the caller may not see: by its tags they would learn it."""
    await session.standing(_CUSTOM_FIELDS)  # no field goes until the rule that names it is there
    fields = await tag_fields(session, ContactRow, TAG_FIELDS)
    try:
        condition = parse(row.where, fields, "/where")
    except InvalidCondition as error:
        raise condition_problem(error) from error
    await readable(session, caller, [test.field for test in comparisons_in(condition)])
    await evaluate_anew(session)
    others, active = await repository.count(session, row.id)
    if others >= MAX_RULES or (row.active and active >= MAX_ACTIVE):
        raise TooManyTagRules(
            Text(
                f"At most {MAX_RULES} rules are kept, of which {MAX_ACTIVE} can be active.",
                f"最多保存 {MAX_RULES} 条规则，其中 {MAX_ACTIVE} 条可启用。",
            )
        )
    if not row.active:
        return
    try:
        mine = ActiveTagRule.of(row.id, row.name, row.tag, condition, row.time_zone)
        in_order([*await active_tag_rules(session, fields, but=row.id), mine])
    except TagCycle as cycle:
        names = " → ".join(f"{each.name} ({each.tag})" for each in cycle.rules)
        raise TagRulesInACircle(
            Text(f"Each asks for the tag of the next: {names}.", f"每条规则都依赖下一条的标签：{names}。"),
            members={"tag_rule_ids": [each.id for each in cycle.rules]},
        ) from cycle


async def evaluate_anew(session: WriteSession) -> None:
    """Holds all contacts against the rules, once this transaction is committed; until then nothing is tagged."""
    # The timers first: a step that runs just now holds one, and while that ends contacts can still be written.
    now = await session.now()
    await set_timer(session, EVALUATION, "", now, {**Step()._asdict(), "started_at": now.isoformat()})
    await set_timer(session, DUE, "", now)
    await lock_tag_rules(session)


async def evaluate_some(session: WriteSession, step: Step) -> tuple[Step, timedelta] | None:
    """Tags a page of contacts anew, each that changes as an update of its own. Where to go on, and after what pause; None at
    the end. A contact that somebody else has locked is come back to.

    No rule changes meanwhile: who changes one waits for the timer that this runs in.
    """
    await session.hold(_CUSTOM_FIELDS, TAG_RULES, _TERRITORIES)
    rules = await session.standing(TAG_RULES)
    rows = await repository.page_of_contacts(session, step.after)
    if not rows:
        return None
    now = await session.now()
    facts = await _facts(session, rules, rows)
    last, count = rows[-1].id, len(rows)
    wanted = [row.id for row in rows if _differs(row, _decided(rules, row, facts[row.id], now))]
    free = await lock_free(session, ContactRow, wanted) if wanted else ()
    await _tag(session, rules, free, now)
    if len(free) < len(wanted):
        return step, _IN_A_MOMENT
    return (Step(last, step.evaluated + count), _AT_ONCE) if count == PAGE else None


async def follow_time(session: WriteSession) -> datetime | None:
    """Tags some of the contacts anew of which time alone may have changed something. When to look again; None where no rule
    asks for a time.
    """
    await session.hold(_CUSTOM_FIELDS, TAG_RULES, _TERRITORIES)
    rules = await session.standing(TAG_RULES)
    if not any(rule.is_timed for rule in rules):
        return None
    now = await session.now()
    rows = await repository.lock_due(session, now)
    await _tag(session, rules, rows, now)
    await session.flush()
    if len(rows) == PAGE:
        return now
    following = await repository.next_due(session)
    soonest = now + _IN_A_MOMENT  # one that somebody else has locked is due still
    return min(now + EVERY, max(following, soonest)) if following is not None else now + EVERY


async def reconsider(session: WriteSession, contact_ids: Collection[str]) -> None:
    """Tags contacts anew of whose orders, deals or tickets something is told. Those that are not there are passed over."""
    # One that asks for them may just be made: whoever makes it then waits for this transaction, and looks at all contacts.
    if not await repository.any_asks_facts(session) and not _asks_facts(await session.standing(TAG_RULES)):
        return
    # The contacts before the rules, as who writes one has them: otherwise both might wait for whoever changes a rule.
    rows = await repository.lock_contacts(session, contact_ids)
    await session.hold(_CUSTOM_FIELDS, TAG_RULES, _TERRITORIES)
    await _tag(session, await session.standing(TAG_RULES), rows, await session.now())


async def _tag(
    session: WriteSession, rules: Sequence[ActiveTagRule], rows: Sequence[ContactRow], now: datetime
) -> None:
    """`rows`: locked. What changes in a contact is told in the name of the rule that changed it."""
    if not rows:
        return
    territories = await session.standing(_TERRITORIES)
    facts = await _facts(session, rules, rows)
    by_actor: dict[str, list[tuple[ContactRow, Tagged]]] = defaultdict(list)
    for row in rows:
        after = _decided(rules, row, facts[row.id], now)
        if _differs(row, after):
            by_actor[next(deciding(row.rule_tags, after.state), ACTOR)].append((row, after))
    here = context.current()
    assert here is not None, "events and timers have a context"
    for actor_id, changes in by_actor.items():
        with context.use(here._replace(actor_id=actor_id, via=VIA)):
            async with session.gathered():
                for row, after in changes:
                    before = CONTACT_EVENTS.snapshot(row)
                    row.tags, row.rule_tags, row.rules_due_at = after.tags, after.state, after.due_at
                    if after.tags != before.tags:
                        follow(row, territories, now=now)
                        await CONTACT_EVENTS.updated(session, row, before)


def _decided(rules: Sequence[ActiveTagRule], row: ContactRow, facts: Facts, now: datetime) -> Tagged:
    """With a restricted contact nothing is done."""
    if row.restricted:
        return Tagged(row.tags, row.rule_tags, None)
    record = {**row.model_dump(), **facts}
    return tagged(rules, record, row.rule_tags, now=now, stands=_EVERY_RULE)


def _differs(row: ContactRow, after: Tagged) -> bool:
    return after != (row.tags, row.rule_tags, row.rules_due_at)


def _asks_facts(rules: Sequence[ActiveTagRule]) -> bool:
    return any(rule.asks_facts for rule in rules)


async def _facts(
    session: ReadSession, rules: Sequence[ActiveTagRule], rows: Sequence[ContactRow]
) -> Mapping[str, Facts]:
    ids = [row.id for row in rows]
    if not _asks_facts(rules):
        return dict.fromkeys(ids, NO_FACTS)
    return await facts_by_contact(session, ids)
