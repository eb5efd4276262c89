"""Carrying out a rule, page by page: what was done, what it told, and how far it has come commit together."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final

from crm_contracts.ids import RetentionRunId
from crm_kit import context
from crm_kit.db.locks import try_lock_key
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, Problem
from crm_kit.http.principal import Principal
from crm_kit.pacing import rest_since
from sqlalchemy.exc import IntegrityError

from contacts_svc.features.activities.events import ACTIVITY_EVENTS
from contacts_svc.features.archiving.usecases import archive
from contacts_svc.features.contacts.repository import hold_contacts
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.holding.repository import protections
from contacts_svc.features.privacy_requests.repository import count_open_erasures
from contacts_svc.features.privacy_requests.usecases import digests, erase_by_rule
from contacts_svc.features.retaining import repository, rules
from contacts_svc.features.retaining.events import RETENTION_RULE_EVENTS
from contacts_svc.features.retaining.models import RetentionRuleRow, RetentionRunRow
from contacts_svc.features.retaining.repository import RESOURCES, Due

RETAIN: Final = "retention_rule"
"""The timer of a rule, by its id: it comes due once a day, and for each step of a run."""

_IN_A_MOMENT: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is to be done, as it stands for this step."""

    id: str
    resource: Any
    where: Any
    counted_from: Any
    after_days: int
    action: Any
    reason: str

    @classmethod
    def of(cls, row: RetentionRuleRow) -> "_Rule":
        return cls(*(getattr(row, each.name) for each in fields(cls)))


@dataclass(slots=True)
class _Came:
    """What came of a page."""

    done: int = 0
    held: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)


async def carry_out(session: WriteSession, rule_id: str) -> datetime | None:
    """The next step of a rule's run. When to go on; None for an inactive rule, and one that is gone.

    Nobody changes what the rule takes meanwhile: who does waits for the timer that this runs in.
    """
    rule, now = await repository.rule(session, rule_id), await session.now()
    if rule is None or not rule.active:
        return None
    if rule.effective_at > now:
        return rule.effective_at
    if not await try_lock_key(session, "retention", ""):
        return now + _IN_A_MOMENT  # another rule of the tenant's is at it
    run = await repository.running(session, rule_id)
    if run is None:
        run = RetentionRunRow(id=RetentionRunId.new(), tenant_id=session.tenant_id, rule_id=rule_id, started_at=now)
        session.add(run)
        await session.flush()
    if rule.action == "erase" and await count_open_erasures(session, rules.MOST_OPEN) >= rules.MOST_OPEN:
        return now + _IN_A_MOMENT
    here = context.current()
    assert here is not None, "timers run in a context"
    began = time.monotonic()
    with context.use(here._replace(actor_id=rule_id, request_id=run.id)):
        if not await _go_on(session, _Rule.of(rule), run):
            return await session.now() + rest_since(began)
        await session.refresh(run)
        return await _finish(session, rule_id, run, now)


async def _go_on(session: WriteSession, rule: _Rule, run: RetentionRunRow) -> bool:
    """Whether that was all. What became due since the run began waits for the next."""
    due = await Due.of(session, rule, rules.cutoff(run.started_at, rule.after_days), run.started_at)
    place = (datetime.fromisoformat(run.place[0]), run.place[1]) if run.place is not None else None
    done, held, failed, failures = run.done, run.held, run.failed, run.failures
    looked_at = await due.slice(session, place, rules.SLICE)
    found = await due.times(session, [id_ for _, id_ in looked_at])
    wanted, most = [each for each in looked_at if each[1] in found], rules.PAGE[rule.action]
    page, is_cut = wanted[:most], len(wanted) > most
    if page:
        came = await _take(session, rule, due, [id_ for _, id_ in page])
        # Set, not read: what failed may have had the row forgotten.
        run.done, run.held, run.failed = done + came.done, held + came.held, failed + len(came.failures)
        run.failures = [*failures, *came.failures][: rules.MOST_FAILURES]
    if last := page[-1:] if is_cut else looked_at[-1:]:
        run.place = [last[0][0].isoformat(), last[0][1]]
    await session.flush()
    return not is_cut and len(looked_at) < rules.SLICE


async def _finish(session: WriteSession, rule_id: str, run: RetentionRunRow, now: datetime) -> datetime:
    row = await repository.lock_rule(session, rule_id)
    if row is None:  # who has it may wait for the timer that this runs in
        return now + _IN_A_MOMENT
    before = RETENTION_RULE_EVENTS.snapshot(row)
    run.status, run.finished_at = "succeeded", now
    row.last_run = repository.told(run).model_dump(mode="json")
    await RETENTION_RULE_EVENTS.updated(session, row, before, action="ran")
    await repository.forget_old_runs(session, rule_id, now)
    return max(run.started_at + rules.EVERY, now)


async def _take(session: WriteSession, rule: _Rule, due: Due, ids: Sequence[str]) -> _Came:
    """Does with these records what the rule says, as they are once they are locked: all together, or each by itself where one
    fails.
    """
    resource, came = RESOURCES[rule.resource], _Came()
    known: Mapping[str, bytes] = {}
    if resource is CONTACTS and rule.action == "erase":  # before anything is locked: it takes a second
        known = await digests(session, await repository.contacts_of(session, ids))
    rows = await resource.lock_all(session, ids)
    still = await due.times(session, list(rows))
    about = {id_: id_ if resource is CONTACTS else row.contact_id for id_, row in rows.items()}
    contact_ids = {contact_id for contact_id in about.values() if contact_id is not None}
    if resource is not CONTACTS:
        await hold_contacts(session, contact_ids)  # a hold that is being placed is waited for
    protected = await protections(session, contact_ids)
    taken = [id_ for id_ in rows if id_ in still and about[id_] not in protected]
    came.held = sum(id_ in still and about[id_] in protected for id_ in rows)
    try:
        async with session.savepoint():
            await _do(session, rule, [rows[id_] for id_ in taken], known)
    except (Problem, IntegrityError):
        await _one_by_one(session, rule, came, taken, known)
    else:
        came.done = len(taken)
    return came


async def _one_by_one(
    session: WriteSession, rule: _Rule, came: _Came, ids: Sequence[str], known: Mapping[str, bytes]
) -> None:
    for id_ in ids:
        try:
            async with session.savepoint():
                rows = await RESOURCES[rule.resource].lock_all(session, [id_])
                await _do(session, rule, list(rows.values()), known)
        except (Problem, IntegrityError) as error:
            came.failures.append({"id": id_, "code": error.code if isinstance(error, Problem) else Conflict.code})
        else:
            came.done += 1


async def _do(session: WriteSession, rule: _Rule, rows: Sequence[Any], known: Mapping[str, bytes]) -> None:
    """Raises Problem."""
    resource, caller = RESOURCES[rule.resource], Principal(rule.id, session.tenant_id)
    match rule.resource, rule.action:
        case "contacts", "erase":
            complete = await digests(session, rows, known)  # of what was written since
            await erase_by_rule(session, rows, rule.id, rule.reason, complete)
        case "activities", "erase":
            await ACTIVITY_EVENTS.erased_all(session, rows)
        case _, "archive":
            for row in rows:
                await archive(session, resource, row, caller)
        case _:
            assert resource.delete is not None, "both can be deleted"
            for row in rows:
                await resource.delete(session, row, caller)
