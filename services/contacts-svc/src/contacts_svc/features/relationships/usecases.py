"""What can be done with a relationship."""

from typing import Final

from crm_contracts.ids import ContactId, RelationshipId
from crm_contracts.relationships import Relationship
from crm_kit.db.locks import lock_keys
from crm_kit.db.rows import new_row
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.resources import access

from contacts_svc.features.accounts.repository import hold_account
from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.contacts.repository import hold_contacts, survivors_of
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.holding.usecases import refuse_changing, refuse_deleting
from contacts_svc.features.relating import repository
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.relating.models import RelationshipRow
from contacts_svc.features.relating.rules import Said, contacts_of, inverse_of, label_key
from contacts_svc.features.relationships.errors import RelationshipExists, TooManyRelationships
from contacts_svc.features.relationships.schemas import RelationshipWrite

MAX_OF_A_CONTACT: Final = 500
"""So that all of them follow a merge, and its undoing, within its transaction. Accounts have any number."""

_ENDS: Final = ("contact_id", "account_id", "related_contact_id")


async def relate(session: WriteSession, data: RelationshipWrite, _caller: Principal) -> Relationship:
    """Raises ValidationFailed, RelationshipExists, TooManyRelationships."""
    contact_id, related_id = await _contacts(session, data)
    if data.account_id is not None:
        await _check_account(session, data.account_id)
    row = new_row(
        RelationshipRow,
        id=RelationshipId.new(),
        contact_id=contact_id,
        account_id=data.account_id,
        related_contact_id=related_id,
        contact_ids=contacts_of(contact_id, related_id),
        home_contact_id=contact_id,
        home_related_id=related_id,
    )
    _write(row, data, None)
    await _check_alike(session, row)
    for end in row.contact_ids:
        if await repository.count_of(session, end, MAX_OF_A_CONTACT) >= MAX_OF_A_CONTACT:
            raise TooManyRelationships(members={"contact_id": end, "limit": MAX_OF_A_CONTACT})
    return await RELATIONSHIP_EVENTS.created(session, row)


async def update_relationship(
    session: WriteSession, row: RelationshipRow, data: RelationshipWrite, _caller: Principal
) -> None:
    """Raises ValidationFailed, also where another end is wanted, RelationshipExists, ProcessingRestricted."""
    fixed = Text("Is as it was made; delete it and make another", "创建后不可更改；请删除后重新创建")
    faults = [FieldError(f"/{end}", "fixed", fixed) for end in _ENDS if getattr(data, end) != getattr(row, end)]
    if faults:
        raise ValidationFailed(fixed, errors=faults)
    for contact_id in row.contact_ids:
        await refuse_changing(session, contact_id)
    before = RELATIONSHIP_EVENTS.snapshot(row)
    _write(row, data, before)
    if (row.label, row.inverse_label) != (before.label, before.inverse_label):
        await _check_alike(session, row)
    await RELATIONSHIP_EVENTS.updated(session, row, before)


async def delete_relationship(session: WriteSession, row: RelationshipRow, caller: Principal) -> None:
    """Raises ProcessingRestricted, OnLegalHold by one of its contacts."""
    for contact_id in row.contact_ids:
        await refuse_deleting(session, contact_id, caller)
    await RELATIONSHIP_EVENTS.deleted(session, row)


def _write(row: RelationshipRow, data: RelationshipWrite, before: Relationship | None) -> None:
    row.label, row.label_key = data.label, label_key(data.label)
    if row.related_contact_id is not None:
        were = (before.label, before.inverse_label) if before is not None else None
        inverse = inverse_of(data.label, data.inverse_label, were)
        if inverse is None:
            text = Text("Say what the related contact is to the contact", "请说明对方是该联系人的什么人")
            raise ValidationFailed(text, errors=[FieldError("/inverse_label", "required", text)])
        row.inverse_label, row.inverse_key = inverse, label_key(inverse)
    for name in ("primary", "started_on", "ended_on", "note"):
        setattr(row, name, getattr(data, name))


async def _contacts(session: WriteSession, data: RelationshipWrite) -> tuple[ContactId, ContactId | None]:
    """The contacts that are meant by now, held until the transaction ends. Raises ValidationFailed."""
    given = {name: id_ for name in _ENDS if isinstance(id_ := getattr(data, name), ContactId)}
    meant = await survivors_of(session, given.values())
    held = await hold_contacts(session, meant.values())
    if not held.issuperset(meant.values()):  # a merge may have ended while they were waited for
        meant = await survivors_of(session, given.values())
        held = await hold_contacts(session, meant.values())
    seen = await access.look_at(session, CONTACTS, held)
    missing = [name for name, id_ in given.items() if meant[id_] not in seen]
    if missing:
        text = Text("There is no such contact", "不存在该联系人")
        raise ValidationFailed(text, errors=[FieldError(f"/{name}", "not_found", text) for name in missing])
    contact_id = ContactId(meant[data.contact_id])
    related_id = ContactId(meant[data.related_contact_id]) if data.related_contact_id is not None else None
    if contact_id == related_id:
        text = Text("Nobody has a relationship to themselves", "联系人不能与自己建立关系")
        raise ValidationFailed(text, errors=[FieldError("/related_contact_id", "itself", text)])
    return contact_id, related_id


async def _check_account(session: WriteSession, account_id: str) -> None:
    is_there = await hold_account(session, account_id)
    if not is_there or account_id not in await access.look_at(session, ACCOUNTS, [account_id]):
        text = Text("There is no such account", "不存在该客户公司")
        raise ValidationFailed(text, errors=[FieldError("/account_id", "not_found", text)])


async def _check_alike(session: WriteSession, row: RelationshipRow) -> None:
    """Raises RelationshipExists. Until the transaction ends nobody else adds any to its contacts."""
    await lock_keys(session, "relationships", row.contact_ids)
    said = _said(row)
    for other in await repository.between(session, said.told.first, said.told.second):
        if other.id != row.id and said.is_as(_said(other)):
            raise RelationshipExists(
                Text(f"{other.id} says the same.", f"{other.id} 表示相同的关系。"),
                members={"relationship_id": other.id},
            )


def _said(row: RelationshipRow) -> Said:
    other = row.account_id or row.related_contact_id
    assert other is not None, "the schema wants one"
    return Said.of(row.contact_id, other, row.label_key, row.inverse_key)
