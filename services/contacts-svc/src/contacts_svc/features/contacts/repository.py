"""Every statement about contacts beyond those that all resources have, and the fields that these can name."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Self

from crm_contracts.ids import ContactId, prefix_of
from crm_kit.conditions import Document, Field, FieldSet, FieldType
from crm_kit.db.holders import KeyHolders
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from crm_kit.resources import base_fields
from crm_kit.rights import CUSTOM
from sqlalchemy import ARRAY, and_, any_, literal, select
from sqlalchemy import Text as SqlText

from contacts_svc.features.accounts.repository import address_fields, archived_fields, external_id_field
from contacts_svc.features.contacts import rules
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.facts.repository import fact_fields
from contacts_svc.features.tagging.repository import standing_tag_rules
from contacts_svc.features.tagging.rules import taggable

_c = columns(ContactRow)


def _is_pooled(document: Document) -> bool:
    return document.get("pool_id") is not None and document.get("owner_id") is None


FIELDS = FieldSet(
    "Contact",
    [
        *base_fields(ContactRow),
        Field("first_name", FieldType.TEXT, _c.first_name, sortable=True, grams=_c.name_grams),
        Field("last_name", FieldType.TEXT, _c.last_name, sortable=True, grams=_c.name_grams),
        Field("full_name", FieldType.TEXT, _c.full_name, sortable=True, grams=_c.name_grams),
        Field(
            "email",
            FieldType.TEXT_LIST,
            _c.email_keys,
            value="emails.address",
            selective=True,
            normalise=rules.email_key,
        ),
        Field(
            "phone",
            FieldType.TEXT_LIST,
            _c.phone_numbers,
            value="phones.number",
            selective=True,
            normalise=rules.phone_key,
        ),
        Field("wechat", FieldType.TEXT, _c.wechat),
        Field("title", FieldType.TEXT, _c.title),
        Field("account_id", FieldType.ID, _c.account_id),
        *address_fields(_c.address),
        Field("language", FieldType.TEXT, _c.language),
        Field("birthday", FieldType.DATE, _c.birthday, sortable=True),
        Field("source", FieldType.TEXT, _c.source),
        Field("lifecycle_stage", FieldType.TEXT, _c.lifecycle_stage, nullable=False),
        Field("lifecycle_reason", FieldType.TEXT, _c.lifecycle_reason),
        Field("lifecycle_changed_at", FieldType.DATETIME, _c.lifecycle_changed_at),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("territory_id", FieldType.ID, _c.territory_id),
        Field("pool_id", FieldType.ID, _c.pool_id),
        Field(
            "pooled",
            FieldType.BOOLEAN,
            and_(_c.pool_id.is_not(None), _c.owner_id.is_(None)),
            value=_is_pooled,
            part_of="pool_id",
            nullable=False,
        ),
        Field("returns_at", FieldType.DATETIME, _c.returns_at, sortable=True),
        external_id_field(_c.external_keys),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
        Field("do_not_contact", FieldType.BOOLEAN, _c.do_not_contact, nullable=False),
        Field("restricted", FieldType.BOOLEAN, _c.restricted, nullable=False),
        *archived_fields(_c.archived_at),
    ],
    declared_under=CUSTOM,
)

TAG_FIELDS: Final = taggable(FIELDS, fact_fields())
"""What tag rules may name, without the custom fields."""

TAG_RULES: Final = standing_tag_rules(ContactRow, TAG_FIELDS)

EMAILS = KeyHolders("contact.email", _c.email_keys)
PHONES = KeyHolders("contact.phone", _c.phone_numbers)
EXTERNAL_KEYS = KeyHolders("contact.external", _c.external_keys)


async def holder_of_external_key(session: WriteSession, keys: Sequence[str], except_id: str) -> tuple[str, str] | None:
    """Another contact that has one of the keys, and the key. Until the transaction ends nobody else is given one."""
    held = await EXTERNAL_KEYS.of(session, keys)
    return next(((id_, key) for key, ids in held.items() for id_ in ids if id_ != except_id), None)


async def contact_exists(session: ReadSession, contact_id: str) -> bool:
    return await session.scalar(select(_c.id).where(_c.id == contact_id)) is not None


async def existing_contacts(session: ReadSession, contact_ids: Iterable[str]) -> frozenset[str]:
    """Those of the contacts that are there."""
    ids = literal(sorted(set(contact_ids)), ARRAY(SqlText()))
    return frozenset(await session.scalars(select(_c.id).where(_c.id == any_(ids))))


async def hold_contacts(session: WriteSession, contact_ids: Iterable[str]) -> frozenset[str]:
    """As `existing_contacts`; until the transaction ends none of them is deleted or merged."""
    ids = literal(sorted(set(contact_ids)), ARRAY(SqlText()))
    statement = select(_c.id).where(_c.id == any_(ids)).order_by(_c.id)
    return frozenset(await session.scalars(statement.with_for_update(read=True, key_share=True)))


async def names_of(session: ReadSession, contact_ids: Collection[str]) -> Mapping[str, str | None]:
    if not contact_ids:
        return {}
    statement = select(_c.id, _c.full_name).where(_c.id == any_(literal(list(contact_ids), ARRAY(SqlText()))))
    return {row.id: row.full_name for row in await session.execute(statement)}


_SURVIVORS: Final = Sql(
    "with recursive walked(first, id, steps) as ("
    ' select given.id, given.id, 0 from unnest(cast(:ids as text[]) collate "C") as given(id)'
    " union all select walked.first, m.into_id, walked.steps + 1 from walked join merged_contact m on m.id = walked.id"
    ") select distinct on (first) first, id from walked order by first, steps desc"
)


async def survivors_of(session: ReadSession, contact_ids: Iterable[str]) -> Mapping[str, str]:
    """Of each contact the one that it was merged into, at the end of all merges; itself where it was not merged."""
    ids = sorted(set(contact_ids))
    return {row["first"]: row["id"] for row in await session.fetch(_SURVIVORS, {"ids": ids})} if ids else {}


async def survivor_of(session: ReadSession, contact_id: str) -> str | None:
    """The contact that a merged one went into, at the end of all merges; None for one that was not merged, or into one that
    is deleted since.
    """
    if prefix_of(contact_id) != ContactId.prefix:
        return None
    survivor = (await survivors_of(session, [contact_id]))[contact_id]
    return survivor if survivor != contact_id and await contact_exists(session, survivor) else None


class Keys(NamedTuple):
    """What a contact is found by."""

    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    external: Sequence[str] = ()

    @classmethod
    def of(cls, row: ContactRow) -> Self:
        return cls(row.email_keys, row.phone_numbers, row.external_keys)


def note_keys(session: WriteSession, contact_id: str, before: Keys, after: Keys) -> None:
    """What was looked up in this transaction holds no more."""
    for holders, old, new in zip((EMAILS, PHONES, EXTERNAL_KEYS), before, after, strict=True):
        holders.moved(session, contact_id, old, new)


_GATHERED: Final = Sql(
    "with recursive gathered(first, id) as ("
    " select m.into_id, m.id from merged_contact m where m.into_id = any(cast(:ids as text[]))"
    " union select gathered.first, m.id from gathered join merged_contact m on m.into_id = gathered.id"
    ") select first, id from gathered order by first, id"
)
_FORGET_MERGED: Final = Sql("delete from merged_contact where id = any(cast(:ids as text[])) returning id, version")


async def merged_ids(session: ReadSession, contact_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """By each of these contacts those that are merged into it, at whatever remove."""
    merged: dict[str, list[str]] = {contact_id: [] for contact_id in contact_ids}
    for row in await session.fetch(_GATHERED, {"ids": list(contact_ids)}):
        merged[row["first"]].append(row["id"])
    return merged


async def forget_merged(session: WriteSession, contact_ids: Sequence[str]) -> Mapping[str, int]:
    """Removes what is kept of merged contacts; by id the version that each had before its deletion."""
    rows = await session.fetch(_FORGET_MERGED, {"ids": list(contact_ids)})
    return {row["id"]: row["version"] for row in rows}
