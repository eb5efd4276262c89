"""Relationships follow what becomes of their ends."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from crm_contracts.ids import ContactId, prefix_of
from crm_contracts.relationships import Relationship
from crm_kit.db.session import WriteSession
from crm_kit.timers import set_timer

from contacts_svc.features.contacts.repository import existing_contacts, survivors_of
from contacts_svc.features.relating import repository
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.relating.models import RelationshipAsideRow, RelationshipRow
from contacts_svc.features.relating.rules import BATCH, GONE, Placed, contacts_of, label_key, standing


class _Home(NamedTuple):
    """Where a relationship belongs whatever is merged, and what it is told apart by."""

    contact_id: str
    related_id: str | None
    account_id: str | None
    label: str
    inverse_label: str | None

    def placed(self, id_: str, now_at: Mapping[str, str]) -> Placed:
        other = self.account_id or now_at[self.related_id or ""]
        inverse = label_key(self.inverse_label) if self.inverse_label is not None else None
        return Placed(id_, now_at[self.contact_id], other, label_key(self.label), inverse)


async def follow_merge(session: WriteSession, contact_ids: Collection[str]) -> None:
    """After a merge of these contacts, or its undoing, in the same transaction: what they have to do with others stands
    where they are by now.

    What would be between one and the same, or is there already, is set aside until that has changed.
    """
    rows = {row.id: row for row in await repository.lock_at(session, contact_ids)}
    aside = {row.id: row for row in await repository.lock_aside(session, contact_ids)}
    homes = {id_: _home_of(row) for id_, row in rows.items()} | {id_: _kept_home(row) for id_, row in aside.items()}
    now_at = await survivors_of(session, {end for home in homes.values() for end in home[:2] if end is not None})
    placed = [home.placed(id_, now_at) for id_, home in homes.items()]
    shown = standing(placed, await existing_contacts(session, now_at.values()))
    leaving = [each for each in placed if each.id in rows and each.id not in shown]
    for each in leaving:
        await _set_aside(session, rows[each.id], [each.contact_id, each.other_id])
    async with session.gathered():
        for each in placed:
            if each.id in shown and each.id in rows:
                await _move(session, rows[each.id], each)
    for each in placed:
        if each.id in shown and each.id in aside:
            await _put_back(session, aside[each.id], each)
        elif each.id in aside:
            aside[each.id].end_ids = [each.contact_id, each.other_id]


async def forget_end(session: WriteSession, end_id: str) -> None:
    """For a contact or an account that is deleted: its relationships go with it, the first BATCH at once, others soon after.

    Those that a merged contact brought to the one that goes are its own again when the merge is undone.
    """
    if await forget_some(session, end_id):
        await set_timer(session, GONE, end_id, await session.now())


async def forget_some(session: WriteSession, end_id: str) -> bool:
    """Whether more may be left."""
    if prefix_of(end_id) == ContactId.prefix:
        rows: Sequence[RelationshipRow] = await repository.lock_at(session, [end_id])
    else:
        rows = await repository.lock_of_account(session, end_id, BATCH)
    for row in rows[:BATCH]:
        if end_id in (row.home_contact_id, row.home_related_id, row.account_id):
            await RELATIONSHIP_EVENTS.deleted(session, row)
        else:
            await _set_aside(session, row, [row.contact_id, row.account_id or row.related_contact_id or ""])
    for kept in await repository.lock_aside(session, [end_id]):
        if end_id in _kept_home(kept)[:3]:
            await session.delete(kept)
    return len(rows) >= BATCH


async def _move(session: WriteSession, row: RelationshipRow, placed: Placed) -> None:
    before = RELATIONSHIP_EVENTS.snapshot(row)
    row.contact_id = placed.contact_id
    if row.account_id is None:
        row.related_contact_id = placed.other_id
    row.contact_ids = contacts_of(row.contact_id, row.related_contact_id)
    await RELATIONSHIP_EVENTS.updated(session, row, before)


async def _set_aside(session: WriteSession, row: RelationshipRow, end_ids: list[str]) -> None:
    content = {
        "relationship": RELATIONSHIP_EVENTS.snapshot(row).model_dump(mode="json"),
        "home_contact_id": row.home_contact_id,
        "home_related_id": row.home_related_id,
    }
    await RELATIONSHIP_EVENTS.deleted(session, row)
    kept = RelationshipAsideRow(id=row.id, end_ids=end_ids, version=row.version, content=content)
    kept.tenant_id = session.tenant_id
    session.add(kept)


async def _put_back(session: WriteSession, kept: RelationshipAsideRow, placed: Placed) -> None:
    was = _kept(kept)
    related_id = placed.other_id if was.account_id is None else None
    row = RelationshipRow(
        **{**was.model_dump(), "contact_id": placed.contact_id, "related_contact_id": related_id},
        tenant_id=session.tenant_id,
        contact_ids=contacts_of(placed.contact_id, related_id),
        home_contact_id=kept.content["home_contact_id"],
        home_related_id=kept.content["home_related_id"],
        label_key=placed.label_key,
        inverse_key=placed.inverse_key,
    )
    session.add(row)
    await session.delete(kept)
    await session.flush()
    await RELATIONSHIP_EVENTS.restored(session, row, kept.version + 1)


def _home_of(row: RelationshipRow) -> _Home:
    return _Home(row.home_contact_id, row.home_related_id, row.account_id, row.label, row.inverse_label)


def _kept_home(kept: RelationshipAsideRow) -> _Home:
    was = _kept(kept)
    content = kept.content
    return _Home(content["home_contact_id"], content["home_related_id"], was.account_id, was.label, was.inverse_label)


def _kept(kept: RelationshipAsideRow) -> Relationship:
    return Relationship.model_validate(kept.content["relationship"])
