"""Every statement about merges."""

from collections.abc import Sequence
from typing import Any, Final

from crm_contracts.contacts import Contact
from crm_contracts.ids import ContactId
from crm_kit.db.models import columns
from crm_kit.db.rows import json_of, new_row, written_columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import select

from contacts_svc.features.contacts.models import ContactRow, MergedContactRow
from contacts_svc.features.merges.models import MergeRow
from contacts_svc.features.tagging.rules import own_tags

_merge = columns(MergeRow)
_merged = columns(MergedContactRow)

_COLUMNS: Final = ", ".join(f'"{column.name}"' for column in written_columns(ContactRow))
_ITS_COLUMNS: Final = ", ".join(f'its."{column.name}"' for column in written_columns(ContactRow))
_KEEP: Final = Sql(
    "insert into merged_contact (tenant_id, id, merge_id, into_id, version, content)"
    " select c.tenant_id, c.id, :merge_id, :into_id, c.version, to_jsonb(c) - 'name_grams'"
    " from contact c where c.id = any(cast(:ids as text[]))"
)
_PUT_BACK: Final = Sql(
    f"insert into contact ({_COLUMNS}) select {_ITS_COLUMNS} from merged_contact m,"  # noqa: S608  # names of our own
    " jsonb_populate_record(null::contact, cast(:defaults as text)::jsonb || m.content) as its where m.id = :id"
)
_FORGET: Final = Sql("delete from merged_contact where id = :id returning version")


async def keep(session: WriteSession, merge_id: str, into_id: str, contact_ids: Sequence[str]) -> None:
    """Remembers contacts' rows; the contacts are deleted by whoever calls."""
    await session.fetch(_KEEP, {"merge_id": merge_id, "into_id": into_id, "ids": list(contact_ids)})


async def put_back(session: WriteSession, contact_id: str) -> tuple[ContactRow, int]:
    """The contact's row, there again and locked, and the version that it had. A column that came since has its default."""
    defaults = json_of(ContactRow, new_row(ContactRow, id=contact_id)).decode()
    await session.fetch(_PUT_BACK, {"defaults": defaults, "id": contact_id})
    version: int = (await session.fetch(_FORGET, {"id": contact_id}))[0]["version"]
    statement = select(ContactRow).where(columns(ContactRow).id == contact_id).with_for_update()
    row: ContactRow = (await session.scalars(statement.execution_options(populate_existing=True))).one()
    return row, version


async def merged_contact(session: ReadSession, contact_id: str) -> MergedContactRow | None:
    row: MergedContactRow | None = await session.scalar(
        select(MergedContactRow).where(_merged.id == contact_id).with_for_update()
    )
    return row


async def merged_contacts(session: ReadSession, into_id: str) -> dict[ContactId, Contact]:
    """The contacts that are merged into one, as they were."""
    rows = await session.scalars(select(MergedContactRow).where(_merged.into_id == into_id).order_by(_merged.id))
    return {ContactId(row.id): Contact.model_validate(_members(row.content)) for row in rows}


def _members(content: dict[str, Any]) -> dict[str, Any]:
    """As somebody wrote them: without the tags that rules gave."""
    members = {name: value for name, value in content.items() if name in Contact.model_fields}
    return {**members, "tags": own_tags(content["tags"], content.get("rule_tags", {}))}


async def later_merges(session: WriteSession, merge: MergeRow) -> Sequence[MergeRow]:
    """Into the same contact, not undone, in their order; locked."""
    statement = (
        select(MergeRow)
        .where(_merge.into_id == merge.into_id, _merge.status == "merged", _merge.id > merge.id)
        .order_by(_merge.id)
        .with_for_update()
    )
    return (await session.scalars(statement)).all()
