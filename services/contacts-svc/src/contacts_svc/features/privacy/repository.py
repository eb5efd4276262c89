"""Every statement about what is held of persons beside entities."""

from collections.abc import Sequence
from typing import Any, Final

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.db.sql import Sql
from sqlalchemy import exists, or_, select

from contacts_svc.features.bulk_changes.models import BulkChangeRow, BulkFailureRow
from contacts_svc.features.contacts.models import ContactRow, MergedContactRow
from contacts_svc.features.exports.models import ExportPieceRow, ExportRow
from contacts_svc.features.import_rows.models import ImportChunkRow, ImportResultRow
from contacts_svc.features.imports.models import ImportRow

_import, _chunk, _result = columns(ImportRow), columns(ImportChunkRow), columns(ImportResultRow)
_export, _piece = columns(ExportRow), columns(ExportPieceRow)
_merged = columns(MergedContactRow)
_bulk, _failure = columns(BulkChangeRow), columns(BulkFailureRow)

_FORGET_CLAIMS: Final = Sql("delete from pool_claim where contact_id = any(cast(:ids as text[])) returning contact_id")


async def merged_contents(session: ReadSession, subject_ids: Sequence[str]) -> list[dict[str, Any]]:
    rows = await session.scalars(select(_merged.content).where(_merged.into_id.in_(subject_ids)).order_by(_merged.id))
    return list(rows)


async def rule_tags(session: ReadSession, subject_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Of each contact the rules that hold, and the tags that it has by them."""
    c = columns(ContactRow)
    statement = select(c.id, c.rule_tags).where(c.id.in_(subject_ids), c.rule_tags["rules"].is_not(None))
    return [(row.id, row.rule_tags) for row in await session.execute(statement.order_by(c.id))]


async def imports_with_files(session: WriteSession) -> Sequence[ImportRow]:
    """Locked, with what became of their rows."""
    kept = or_(
        exists().where(_chunk.import_id == _import.id),
        exists().where(_result.import_id == _import.id),
    )
    return (await session.scalars(select(ImportRow).where(kept).order_by(_import.id).with_for_update())).all()


async def exports_with_files(session: WriteSession) -> Sequence[ExportRow]:
    """Locked; one that is being written among them, and one that only says by what it was asked for."""
    kept = or_(
        exists().where(_piece.export_id == _export.id),
        _export.where.is_not(None),
        _export.status.in_(("pending", "running")),
    )
    return (await session.scalars(select(ExportRow).where(kept).order_by(_export.id).with_for_update())).all()


async def bulk_changes_that_say_something(session: WriteSession) -> Sequence[BulkChangeRow]:
    """Locked: of what they were asked for, or what failed; those that run among them."""
    kept = or_(
        exists().where(_failure.bulk_change_id == _bulk.id),
        _bulk.where.is_not(None),
        _bulk.patch.is_not(None),
        _bulk.status.in_(("pending", "running")),
    )
    return (await session.scalars(select(BulkChangeRow).where(kept).order_by(_bulk.id).with_for_update())).all()


async def forget_claims(session: WriteSession, subject_ids: Sequence[str]) -> int:
    return len(await session.fetch(_FORGET_CLAIMS, {"ids": list(subject_ids)}))
