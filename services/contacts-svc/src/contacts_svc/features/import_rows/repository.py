"""Every statement about an import's file and its rows."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Final

from crm_kit.db.models import columns
from crm_kit.db.rows import insert_of, json_bytes, together
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import delete, exists, func, select

from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.activities.models import ActivityRow
from contacts_svc.features.consents.models import ConsentRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.import_rows.models import ImportChunkRow, ImportKeyRow, ImportResultRow

_k, _r = columns(ImportChunkRow), columns(ImportResultRow)
_CHUNK_BYTES: Final = 1024 * 1024

_ADD_CHUNK = Sql(
    "insert into import_chunk (tenant_id, import_id, number, content)"
    " values (:tenant, :import_id, cast(:number as integer), :content)"
)
_CHUNK = Sql("select content from import_chunk where import_id = :import_id and number = cast(:number as integer)")
_ADD_RESULTS = Sql(insert_of(ImportResultRow))
_ADD_KEYS = Sql(
    "insert into import_key select :tenant, :import_id, key, number"
    " from unnest(cast(:keys as text[]), cast(:rows as bigint[])) as given(key, number) on conflict do nothing"
)
_PLANNED = Sql('select key, "row" from import_key where import_id = :import_id and key = any(cast(:keys as text[]))')
_LATEST = Sql(
    "select entity_id, max(version) as version, bool_or(outcome = 'created') as created from import_result"
    " where import_id = :import_id and entity_id = any(cast(:ids as text[])) group by entity_id"
)


async def keep_file(session: WriteSession, import_id: str, file: BinaryIO) -> int:
    """Its size in bytes."""
    file.seek(0)
    size = number = 0
    while content := file.read(_CHUNK_BYTES):
        values = {"tenant": session.tenant_id, "import_id": import_id, "number": number, "content": content}
        await session.fetch(_ADD_CHUNK, values)
        size, number = size + len(content), number + 1
    return size


async def copy_file(session: ReadSession, import_id: str, into: BinaryIO) -> None:
    """Writes the kept file."""
    number = 0
    while rows := await session.fetch(_CHUNK, {"import_id": import_id, "number": number}):
        into.write(rows[0]["content"])
        number += 1
    into.seek(0, os.SEEK_SET)


async def forget_file(session: WriteSession, import_id: str) -> None:
    """With what became of its rows: both are personal data, and from then on the import cannot be reverted."""
    await session.execute(delete(ImportChunkRow).where(_k.import_id == import_id))
    await forget_results(session, import_id)


async def forget_results(session: WriteSession, import_id: str) -> None:
    """Of a run that another one takes the place of."""
    for table in (ImportResultRow, ImportKeyRow):
        await session.execute(delete(table).where(columns(table).import_id == import_id))


async def add_results(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        given = [json_bytes({"tenant_id": session.tenant_id, **row}) for row in rows]
        await session.fetch(_ADD_RESULTS, {"rows": together(given)})


async def add_keys(session: WriteSession, import_id: str, keys: Mapping[str, int]) -> None:
    values = {"tenant": session.tenant_id, "import_id": import_id, "keys": list(keys), "rows": list(keys.values())}
    await session.fetch(_ADD_KEYS, values)


async def planned(session: ReadSession, import_id: str, keys: Sequence[str]) -> Mapping[str, int]:
    """The rows of earlier pages that a dry run would have created, by what they would be found by."""
    found = await session.fetch(_PLANNED, {"import_id": import_id, "keys": list(keys)})
    return {row["key"]: row["row"] for row in found}


async def unlinked(session: ReadSession, import_id: str, after: int, limit: int) -> Sequence[ImportResultRow]:
    """The rows that refer to what was not there when they were taken in."""
    statement = select(ImportResultRow).where(_r.import_id == import_id, _r.reference.is_not(None), _r.row > after)
    return (await session.scalars(statement.order_by(_r.row, _r.place).limit(limit))).all()


_turn = _r.row * 2 + _r.place
"""In the order of the file, and of what a row made one after the other."""


async def done_before(
    session: ReadSession, import_id: str, resource: str, turn: int | None, limit: int
) -> Sequence[ImportResultRow]:
    """What was created or updated of a resource, from the end of the file backwards. `turn`: of the last that was had."""
    statement = select(ImportResultRow).where(
        _r.import_id == import_id,
        _r.resource == resource,
        _r.entity_id.is_not(None),
        _r.outcome.in_(("created", "updated")),
    )
    if turn is not None:
        statement = statement.where(_turn < turn)
    return (await session.scalars(statement.order_by(_turn.desc()).limit(limit))).all()


async def made_of(session: ReadSession, import_id: str, ids: Iterable[str]) -> Mapping[str, tuple[int, bool]]:
    """The last version that the import gave each record, and whether it created it."""
    rows = await session.fetch(_LATEST, {"import_id": import_id, "ids": sorted(set(ids))})
    return {row["entity_id"]: (row["version"], row["created"]) for row in rows}


async def in_use(session: ReadSession, import_id: str, ids: Sequence[str]) -> set[str]:
    """Of records those that something of this service belongs to by now, besides what the import itself created."""
    held: set[str] = set()
    for row, column in (
        (ActivityRow, columns(ActivityRow).contact_id),
        (ActivityRow, columns(ActivityRow).account_id),
        (ConsentRow, columns(ConsentRow).contact_id),
        (ContactRow, columns(ContactRow).account_id),
        (AccountRow, columns(AccountRow).parent_id),
    ):
        ours = exists().where(
            _r.import_id == import_id,
            _r.entity_id == columns(row).id,
            _r.outcome == "created",
            _r.reverted.is_(None),
        )
        held |= set(await session.scalars(select(func.distinct(column)).where(column.in_(ids), ~ours)))
    return held
