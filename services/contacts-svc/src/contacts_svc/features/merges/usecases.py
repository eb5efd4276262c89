"""Merging contacts, and taking a merge back."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId, MergeId
from crm_kit import context
from crm_kit.db.models import utc_now
from crm_kit.db.session import WriteSession
from crm_kit.errors import Erased, FieldError, Merged, NotFound, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import access
from crm_kit.rights import EVERYTHING

from contacts_svc.features.accounts.repository import account_exists
from contacts_svc.features.consents.usecases import join_ledgers, part_ledgers
from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts.errors import ProcessingRestricted
from contacts_svc.features.contacts.events import CONTACT_EVENTS, by_people
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import TAG_RULES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.contacts.usecases import refuse_taken, rewrite_contact, take_out
from contacts_svc.features.merges import repository, rules
from contacts_svc.features.merges.errors import MergeUndone, SurvivorMerged
from contacts_svc.features.merges.events import MERGE_EVENTS
from contacts_svc.features.merges.models import MergeRow
from contacts_svc.features.merges.schemas import MergeResult, MergeWrite
from contacts_svc.features.pooling.repository import hold_pool
from contacts_svc.features.pooling.usecases import set_return
from contacts_svc.features.relating.usecases import follow_merge
from contacts_svc.features.stages.repository import STAGES
from contacts_svc.features.tagging.rules import with_given
from contacts_svc.features.tagging.usecases import keep_tagged

Rows = Mapping[str, ContactRow]
"""By id."""


class _OnlyShown(Exception):
    """Undoes a dry run."""

    def __init__(self, result: MergeResult) -> None:
        self.result = result


async def merge_contacts(
    session: WriteSession, survivor_id: str, rows: Rows, data: MergeWrite, caller: Principal
) -> MergeResult:
    """`rows`: of `lock_for_merge`."""
    if not data.dry_run:
        return await _merge(session, survivor_id, rows, data, caller)
    try:
        async with session.savepoint():
            raise _OnlyShown(await _merge(session, survivor_id, rows, data, caller))
    except _OnlyShown as shown:
        return shown.result.model_copy(update={"merge": None})


async def lock_for_merge(session: WriteSession, survivor_id: str, from_ids: Sequence[str]) -> Rows:
    """All of them, locked. Raises Problem where one is not there, or the caller may not.

    Who merges sees what each of them holds in the others' place, so they must be shown everything of all of them.
    """
    if survivor_id in from_ids or len(set(from_ids)) < len(from_ids):
        text = Text("Name other contacts, each once", "请指定其他联系人，且每个只出现一次")
        raise ValidationFailed(text, errors=[FieldError("/from", "distinct", text)])
    rows: dict[str, ContactRow] = {}
    for id_ in sorted((survivor_id, *from_ids)):  # in one order, so that none deadlock
        try:
            rows[id_] = await CONTACTS.lock(session, id_, "update" if id_ == survivor_id else "delete")
        except (Erased, Merged, NotFound):
            if id_ == survivor_id:
                raise
    if any(row.restricted for row in rows.values()):
        raise ProcessingRestricted
    missing = [number for number, id_ in enumerate(from_ids) if id_ not in rows]
    if missing:
        text = Text("There is no such contact", "不存在该联系人")
        raise ValidationFailed(text, errors=[FieldError(f"/from/{number}", "not_found", text) for number in missing])
    sights = session.sights
    if sights is not None and not all((rights := sights.of(id_)) and rights.is_clear for id_ in rows):
        raise access.forbidden("contacts:read")
    return rows


async def _merge(
    session: WriteSession, survivor_id: str, rows: Rows, data: MergeWrite, caller: Principal
) -> MergeResult:
    row, others = rows[survivor_id], [rows[id_] for id_ in data.from_]
    before, merged = CONTACT_EVENTS.snapshot(row), [by_people(other) for other in others]
    chosen = data.fields.rules()
    _check_rules(chosen, [before, *merged])
    state = CONTACTS.validated(_kept(row, rules.combined(by_people(row), merged, chosen)))
    merge_id = MergeId.new()
    await repository.keep(session, merge_id, row.id, data.from_)
    for other in others:
        await take_out(session, other)
    here = context.current()
    merge = MergeRow(
        id=merge_id,
        into_id=row.id,
        from_ids=list(data.from_),
        actor_id=here.actor_id if here else None,
        rules=dict(chosen),
        before=by_people(row).model_dump(mode="json"),
    )
    row.merged_from = sorted([*row.merged_from, *data.from_])
    row.other_external_ids = rules.other_external_ids(state.external_ids, [before, *merged])
    await rewrite_contact(session, row, before, state, caller, merging="merged")
    after = CONTACT_EVENTS.snapshot(row)
    merge.after = by_people(row).model_dump(mode="json")
    await follow_merge(session, [row.id, *data.from_])
    entries = await join_ledgers(session, merge_id, row.id, data.from_)
    told = await MERGE_EVENTS.created(session, merge)
    if session.sights is not None:  # who was shown everything of all contacts may see what comes of them
        for id_ in (told.id, *(entry.id for entry in entries)):
            session.sights.note(id_, EVERYTHING)
    return MergeResult(merge=told, contact=after, changed=_changed(before, after), consents=entries)


async def undo_merge(session: WriteSession, merge: MergeRow, caller: Principal) -> None:
    """Each of the merged is its own again, as it was; the survivor keeps what was written to it since.

    Raises MergeUndone, SurvivorMerged, and ExternalIdTaken where another contact has by now what one of them had.
    """
    if merge.status != "merged":
        raise MergeUndone
    if (further := await repository.merged_contact(session, merge.into_id)) is not None:
        raise SurvivorMerged(
            Text(
                f"{merge.into_id} was merged by {further.merge_id}.", f"{merge.into_id} 已由 {further.merge_id} 合并。"
            ),
            members={"merge_id": further.merge_id},
        )
    survivor = (await CONTACTS.lock_all(session, [merge.into_id])).get(merge.into_id)
    before = MERGE_EVENTS.snapshot(merge)
    frozen = await repository.merged_contacts(session, merge.into_id)
    state = await _without(session, merge, survivor, frozen)
    versions = {}
    returned = []
    for contact_id in merge.from_ids:
        row, versions[contact_id] = await repository.put_back(session, contact_id)
        returned.append(row)
    if survivor is not None and state is not None:
        present = CONTACT_EVENTS.snapshot(survivor)
        given_back = [frozen[ContactId(id_)] for id_ in merge.from_ids]
        survivor.merged_from = [id_ for id_ in survivor.merged_from if id_ not in merge.from_ids]
        survivor.other_external_ids = rules.other_external_ids(state.external_ids, [present], given_back)
        await rewrite_contact(session, survivor, present, state, caller, merging="unmerged")
    for row in returned:
        await _return(session, row, versions[row.id])
    await follow_merge(session, [merge.into_id, *merge.from_ids])
    await part_ledgers(session, merge.id, merge.into_id, merge.from_ids, merge.created_at)
    merge.status = "undone"
    merge.undone_at = await session.now()
    await MERGE_EVENTS.updated(session, merge, before, action="undone")


async def _without(
    session: WriteSession, merge: MergeRow, survivor: ContactRow | None, frozen: dict[ContactId, Contact]
) -> ContactWrite | None:
    """What the survivor would hold had there not been this merge; later ones are made anew on what was there without it."""
    old, new = merge.after, rules.state_of(Contact.model_validate(merge.before))
    for later in await repository.later_merges(session, merge):
        base = Contact.model_validate({**later.before, **rules.rebased(old, later.before, new)})
        new = rules.combined(base, [frozen[ContactId(id_)] for id_ in later.from_ids], later.rules)  # type: ignore[arg-type]  # as they were taken in
        old = later.after
        later.before = base.model_dump(mode="json")
        later.after = {**later.after, **new}
    if survivor is None:
        return None
    state = rules.rebased(old, rules.state_of(by_people(survivor)), new)
    state["account_id"] = await _account_or_none(session, state["account_id"])
    state["pool_id"] = await _pool_or_none(session, state["pool_id"])
    validated: ContactWrite = CONTACTS.validated(_kept(survivor, state))
    return validated


async def _return(session: WriteSession, row: ContactRow, version: int) -> None:
    row.account_id = await _account_or_none(session, row.account_id)
    row.pool_id = await _pool_or_none(session, row.pool_id)
    row.returns_at = row.returns_at if row.pool_id is not None else None
    row.lifecycle_stage = (await session.standing(STAGES)).standing_for(row.lifecycle_stage)
    await refuse_taken(session, row)
    await keep_tagged(session, TAG_RULES, row, None, now=utc_now())
    await CONTACT_EVENTS.restored(session, row, version + 2)  # its deletion was one more
    contacts.note_keys(session, row.id, contacts.Keys(), contacts.Keys.of(row))
    await set_return(session, row)  # its timer may have come while it was not there


async def _account_or_none(session: WriteSession, account_id: str | None) -> str | None:
    """What has gone since is referred to no more."""
    return account_id if account_id is not None and await account_exists(session, account_id) else None


async def _pool_or_none(session: WriteSession, pool_id: str | None) -> str | None:
    """As `_account_or_none`; a pool that is there stays until the transaction ends."""
    return pool_id if pool_id is not None and await hold_pool(session, pool_id) is not None else None


def _kept(row: ContactRow, state: rules.Json) -> dict[str, Any]:
    """As a client would write it: members that hold nothing are left out, and the tags that rules gave are not taken away."""
    kept = {name: value for name, value in state.items() if value is not None}
    return {**kept, "tags": with_given(kept.get("tags", ()), row.rule_tags)}


def _check_rules(chosen: Mapping[str, rules.Rule], contacts_: Sequence[Contact]) -> None:
    known = {*(contact.id for contact in contacts_), "non_empty", "newest", "oldest", "all"}
    text = Text("Must be one of the contacts that are merged", "必须是参与合并的联系人之一")
    faults = [
        FieldError(f"/fields/{name.replace('.', '/')}", "not_merged", text)
        for name, rule in chosen.items()
        if rule not in known
    ]
    wrong = Text("all is for lists and maps", "all 只适用于列表和映射")
    faults += [
        FieldError(f"/fields/{name.replace('.', '/')}", "choice", wrong)
        for name, rule in chosen.items()
        if rule == "all" and name not in rules.TAKEN_TOGETHER
    ]
    if faults:
        raise ValidationFailed(faults[0].detail, errors=faults)


def _changed(before: Contact, after: Contact) -> list[str]:
    return [name for name in rules.WRITTEN if getattr(before, name) != getattr(after, name)]
