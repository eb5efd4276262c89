"""What can be done with a retention rule, and what it is about to do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from crm_contracts.ids import RetentionRuleId
from crm_contracts.retention import RetentionRule
from crm_contracts.types import format_timestamp
from crm_kit.db.bounded import TookTooLong, time_limit
from crm_kit.db.locks import lock_keys
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import Resource, Walk, access
from crm_kit.timers import cancel_timers, set_timer

from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.declaring.repository import declared_for
from contacts_svc.features.holding.repository import NO_PROTECTION, protections
from contacts_svc.features.retaining import repository as retaining
from contacts_svc.features.retaining import rules
from contacts_svc.features.retaining.events import RETENTION_RULE_EVENTS
from contacts_svc.features.retaining.models import RetentionRuleRow
from contacts_svc.features.retaining.repository import RESOURCES, Due, Place
from contacts_svc.features.retaining.usecases import RETAIN
from contacts_svc.features.retention_rules import repository
from contacts_svc.features.retention_rules.errors import TooManyRetentionRules
from contacts_svc.features.retention_rules.schemas import (
    DueRecord,
    RetentionPreview,
    RetentionPreviewWrite,
    RetentionRuleWrite,
)

_SAMPLE: Final = 20
_SAMPLED_WITHIN: Final = timedelta(seconds=1)


async def create_rule(session: WriteSession, data: RetentionRuleWrite, caller: Principal) -> RetentionRule:
    """Raises ValidationFailed, Forbidden, TooManyRetentionRules."""
    await _check(session, data, caller)
    await lock_keys(session, "retention_rules", [""])
    if await repository.count(session) >= rules.MAX_RULES:
        raise TooManyRetentionRules(members={"limit": rules.MAX_RULES})
    written = data.model_dump(mode="json") | {"effective_at": await _effective_from(session, None, data)}
    row = RetentionRuleRow(id=RetentionRuleId.new(), **written)
    rule = await RETENTION_RULE_EVENTS.created(session, row)
    await _set(session, row)
    return rule


async def update_rule(
    session: WriteSession, row: RetentionRuleRow, data: RetentionRuleWrite, caller: Principal
) -> None:
    """A run that has begun is stopped where the rule takes other records than it did.

    Raises ValidationFailed, Forbidden.
    """
    before = RETENTION_RULE_EVENTS.snapshot(row)
    if data.active:
        await _check(session, data, caller)
    effective_at = await _effective_from(session, before, data)
    for name, value in data.model_dump(mode="json").items():
        setattr(row, name, value)
    row.effective_at = effective_at
    if await RETENTION_RULE_EVENTS.updated(session, row, before) and not rules.is_carried_on(before, row):
        await _set(session, row)


async def delete_rule(session: WriteSession, row: RetentionRuleRow, _caller: Principal) -> None:
    """What it did stays done, and stands in the audit log."""
    await cancel_timers(session, RETAIN, [row.id])
    await retaining.forget_runs(session, row.id)
    await RETENTION_RULE_EVENTS.deleted(session, row)


async def _set(session: WriteSession, row: RetentionRuleRow) -> None:
    """The timer first, which waits for a step that is being done: then nothing is done by what the rule was."""
    now = await session.now()
    if row.active:
        await set_timer(session, RETAIN, row.id, max(now, row.effective_at))
    else:
        await cancel_timers(session, RETAIN, [row.id])
    await retaining.stop_runs(session, row.id, now)


async def _effective_from(session: ReadSession, before: RetentionRule | None, data: RetentionRuleWrite) -> datetime:
    try:
        return rules.effective_from(before, data, await session.now())
    except rules.TooSoon as error:
        earliest = format_timestamp(error.earliest)
        text = Text(
            f"A rule that is new or takes more than it did counts from {earliest} at the earliest, so that it can be taken back",
            f"新规则或范围扩大的规则最早于 {earliest} 生效，以便有时间撤回",
        )
        raise ValidationFailed(text, errors=[FieldError("/effective_at", "too_soon", text)]) from error


async def _check(session: WriteSession, data: RetentionPreviewWrite, caller: Principal) -> None:
    """A rule reaches whatever there is, so who makes one must see all of it, and be allowed what it does.

    Raises ValidationFailed, Forbidden.
    """
    resource = RESOURCES[data.resource]
    await session.standing(declared_for(data.resource))  # no field goes until the rule that names it is there
    _check_reach(session, resource, rules.NEEDS[data.action])
    if data.resource == "contacts" and data.action == "erase":
        require(caller, "privacy-requests:create")
    await _due_now(session, data)


async def _due_now(session: ReadSession, data: RetentionPreviewWrite) -> Due:
    """Raises ValidationFailed, Forbidden."""
    now = await session.now()
    # As it was sent, so that a fault in it is pointed at where it stands.
    await Walk.of(session, RESOURCES[data.resource], data.where, (), now)
    return await Due.of(session, data, rules.cutoff(now, data.after_days), now)


def _check_reach(session: ReadSession, resource: Resource[Any, Any, Any], needs: str) -> None:
    """Raises Forbidden."""
    if session.sights is None:
        return
    rights = session.sights.rights.on(resource.permission).at("all")
    for action in ("read", needs):
        if action not in rights.actions or not rights.is_clear:
            raise access.forbidden(f"{resource.permission}:{action}")


async def preview(session: WriteSession, data: RetentionPreviewWrite, caller: Principal) -> RetentionPreview:
    """Nothing is done. Raises ValidationFailed, Forbidden."""
    require(caller, f"{RESOURCES[data.resource].permission}:read")
    require(caller, "legal-holds:read")
    due = await _due_now(session, data)
    found = await due.walk.size(session)
    ids: list[str] = []
    try:
        async with time_limit(session, _SAMPLED_WITHIN):
            ids = [row.id for row in (await due.walk.page(session, None, _SAMPLE)).rows]
    except TookTooLong:
        pass  # they lie too far apart: the number is told
    return RetentionPreview(found=found, sample=await _shown(session, due, data, ids))


async def due_page(
    session: ReadSession, row: RetentionRuleRow, by: datetime | None, after: Place | None, limit: int, caller: Principal
) -> tuple[list[DueRecord], Place | None]:
    """What the rule takes once it counts, or at a later `by`, of what the caller sees; and where to go on.

    Raises Forbidden.
    """
    require(caller, f"{RESOURCES[row.resource].permission}:read")
    require(caller, "legal-holds:read")
    now = await session.now()
    at = max(now, by or row.effective_at)
    due = await Due.of(session, row, rules.cutoff(at, row.after_days), at)
    looked_at = await due.slice(session, after, rules.SLICE)
    found = await due.times(session, [id_ for _, id_ in looked_at])
    page = [each for each in looked_at if each[1] in found][:limit]
    is_cut = len(page) == limit
    last = page[-1] if is_cut else looked_at[-1] if looked_at else None
    is_last = not is_cut and len(looked_at) < rules.SLICE
    return await _shown(session, due, row, [id_ for _, id_ in page]), None if is_last else last


async def _shown(session: ReadSession, due: Due, rule: Any, ids: Sequence[str]) -> list[DueRecord]:
    resource = RESOURCES[rule.resource]
    seen = await access.look_at(session, resource, ids)
    ids = [id_ for id_ in ids if id_ in seen]
    since = await due.times(session, ids)
    about = {id_: id_ for id_ in ids} if resource is CONTACTS else await repository.contacts_of_activities(session, ids)
    protected = await protections(session, {contact_id for contact_id in about.values() if contact_id is not None})
    return [
        DueRecord(
            id=id_,
            since=since[id_],
            due_at=rules.due_at(since[id_], rule.after_days),
            left_for=_left_for(protected, about.get(id_)),
        )
        for id_ in ids
        if id_ in since
    ]


def _left_for(protected: Mapping[str, Any], contact_id: str | None) -> list[str]:
    found = protected.get(contact_id or "", NO_PROTECTION)
    return [name for name, holds in (("legal_hold", found.hold_ids), ("restriction", found.restricted)) if holds]
