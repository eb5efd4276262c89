"""Every statement about what is held of persons beside entities."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import ARRAY, and_, any_, delete, exists, func, literal, or_, select
from sqlalchemy import Text as SqlText

from contacts_svc.features.bulk_changes.models import BulkChangeRow, BulkFailureRow
from contacts_svc.features.contacts.models import ContactRow, MergedContactRow
from contacts_svc.features.exports.models import ExportPieceRow, ExportRow, ExportSubjectsRow
from contacts_svc.features.exports.usecases import BUSY as EXPORT_BUSY
from contacts_svc.features.import_rows.models import ImportChunkRow, ImportResultRow
from contacts_svc.features.imports.models import ImportRow
from contacts_svc.features.imports.usecases import BUSY as IMPORT_BUSY
from contacts_svc.features.retaining.models import LastActivityRow

_import, _chunk, _result = columns(ImportRow), columns(ImportChunkRow), columns(ImportResultRow)
_export, _piece, _subjects = columns(ExportRow), columns(ExportPieceRow), columns(ExportSubjectsRow)
_activity = columns(LastActivityRow)
_merged = columns(MergedContactRow)
_bulk, _failure = columns(BulkChangeRow), columns(BulkFailureRow)

Whose = frozenset[str]
"""The persons that something is of, by their ids."""

_FORGET_CLAIMS: Final = Sql("delete from pool_claim where contact_id = any(cast(:ids as text[])) returning contact_id")


async def merged_contents(session: ReadSession, subject_ids: Sequence[str]) -> list[dict[str, Any]]:
    rows = await session.scalars(select(_merged.content).where(_merged.into_id.in_(subject_ids)).order_by(_merged.id))
    return list(rows)


async def rule_tags(session: ReadSession, subject_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Of each contact the rules that hold, and the tags that it has by them."""
    c = columns(ContactRow)
    statement = select(c.id, c.rule_tags).where(c.id.in_(subject_ids), c.rule_tags["rules"].is_not(None))
    return [(row.id, row.rule_tags) for row in await session.execute(statement.order_by(c.id))]


async def is_at_work(session: ReadSession) -> bool:
    """Whether a file is being read or written, or a bulk change runs."""
    at_work = or_(
        exists().where(_import.status.in_(IMPORT_BUSY)),
        exists().where(_export.status.in_(EXPORT_BUSY)),
        exists().where(_bulk.status.in_(("pending", "running"))),
    )
    return bool(await session.scalar(select(at_work)))


async def imports_that_may_hold(session: WriteSession, subject_ids: Sequence[str]) -> Sequence[tuple[ImportRow, Whose]]:
    """Locked, with whose they are: those of which a row became one of the contacts, and, of anybody, those of which a row became
    nothing. Who is meant by such a row nobody knows.
    """
    with_file = or_(
        exists().where(_chunk.import_id == _import.id),
        exists().where(_result.import_id == _import.id),
    )
    told = (
        select(_result.import_id, func.count().label("rows"))
        .where(_result.place == 0, _result.entity_id.is_not(None))
        .group_by(_result.import_id)
        .subquery()
    )
    known = func.coalesce(select(told.c.rows).where(told.c.import_id == _import.id).scalar_subquery(), 0)
    ids = literal(list(subject_ids), ARRAY(SqlText()))
    holders = _by_file(
        await session.execute(
            select(_result.import_id, _result.entity_id).where(_result.entity_id == any_(ids)).distinct()
        )
    )
    wanted = or_(_import.id.in_(holders), known < _import.rows)
    statement = select(ImportRow).where(with_file, wanted).order_by(_import.id).with_for_update()
    rows = (await session.scalars(statement)).all()
    return [(row, holders.get(row.id, frozenset(subject_ids))) for row in rows]


async def exports_that_may_hold(session: WriteSession, subject_ids: Sequence[str]) -> Sequence[tuple[ExportRow, Whose]]:
    """Locked, with whose they are: those that hold what is of one of the contacts, and, of anybody, those of which it was not
    written down whom they hold.
    """
    ids = literal(list(subject_ids), ARRAY(SqlText()))
    held = select(_subjects.export_id, func.unnest(_subjects.contact_ids).label("contact_id")).where(
        _subjects.contact_ids.overlap(ids)
    )
    found = held.subquery()
    holders = _by_file(await session.execute(select(found).where(found.c.contact_id == any_(ids)).distinct()))
    known = func.coalesce(
        select(func.sum(_subjects.rows)).where(_subjects.export_id == _export.id).scalar_subquery(), 0
    )
    with_file = exists().where(_piece.export_id == _export.id)
    wanted = or_(_export.id.in_(holders), and_(_export.resource != "accounts", known < _export.rows))
    statement = select(ExportRow).where(with_file, wanted).order_by(_export.id).with_for_update()
    rows = (await session.scalars(statement)).all()
    return [(row, holders.get(row.id, frozenset(subject_ids))) for row in rows]


def _by_file(pairs: Iterable[Any]) -> dict[str, Whose]:
    found: dict[str, set[str]] = {}
    for file_id, contact_id in pairs:
        found.setdefault(file_id, set()).add(contact_id)
    return {file_id: frozenset(whose) for file_id, whose in found.items()}


async def exports_asked_by_condition(session: WriteSession) -> Sequence[ExportRow]:
    """Locked: the condition may name a person."""
    statement = select(ExportRow).where(_export.where.is_not(None)).order_by(_export.id).with_for_update()
    return (await session.scalars(statement)).all()


async def bulk_changes_that_say_something(session: WriteSession, subject_ids: Sequence[str]) -> Sequence[BulkChangeRow]:
    """Locked: of what they were asked for, which may name a person; or that one of the contacts was among them."""
    ids = literal(list(subject_ids), ARRAY(SqlText()))
    failed = exists().where(_failure.bulk_change_id == _bulk.id, _failure.record_id == any_(ids))
    says = or_(failed, _bulk.where.is_not(None), _bulk.patch.is_not(None), _bulk.ids.overlap(ids))
    return (await session.scalars(select(BulkChangeRow).where(says).order_by(_bulk.id).with_for_update())).all()


async def last_activity(session: ReadSession, subject_ids: Sequence[str]) -> Sequence[tuple[str, datetime]]:
    """When something was last done with these contacts in other services, as far as that is noted."""
    statement = select(_activity.contact_id, _activity.last_at).where(_activity.contact_id.in_(subject_ids))
    return [(row.contact_id, row.last_at) for row in await session.execute(statement.order_by(_activity.contact_id))]


async def forget_last_activity(session: WriteSession, subject_ids: Sequence[str]) -> Sequence[str]:
    statement = delete(LastActivityRow).where(_activity.contact_id.in_(subject_ids))
    return (await session.scalars(statement.returning(_activity.contact_id))).all()


async def forget_claims(session: WriteSession, subject_ids: Sequence[str]) -> Sequence[str]:
    """Whose they were, once for each."""
    return [row["contact_id"] for row in await session.fetch(_FORGET_CLAIMS, {"ids": list(subject_ids)})]
