"""What is held of persons beside entities: files of imports and exports, merged contacts, what waits for the end of a merge, claims."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from crm_kit.audit import erase_payloads
from crm_kit.db.session import ReadSession, WriteSession

from contacts_svc.features.bulk_changes.usecases import forget_bulk_change
from contacts_svc.features.exports.usecases import BUSY as EXPORT_BUSY
from contacts_svc.features.exports.usecases import forget_export
from contacts_svc.features.facts.repository import facts_by_contact
from contacts_svc.features.facts.rules import NO_FACTS
from contacts_svc.features.imports.usecases import BUSY as IMPORT_BUSY
from contacts_svc.features.imports.usecases import forget_import
from contacts_svc.features.privacy import repository
from contacts_svc.features.privacy_requests.usecases import forget_archives
from contacts_svc.features.relating.events import RELATIONSHIP_EVENTS
from contacts_svc.features.relating.repository import aside_of


async def show_more(session: ReadSession, subject_ids: Sequence[str]) -> AsyncIterator[tuple[str, Any]]:
    """Contacts as they were when they were merged into the person's, relationships that wait until that is undone, what orders,
    deals and tickets come to, and which tags rules gave.
    """
    for content in await repository.merged_contents(session, subject_ids):
        yield "merged_contact", content
    for kept in await aside_of(session, subject_ids):
        yield "relationship", kept.content["relationship"]
    for contact_id, facts in (await facts_by_contact(session, subject_ids)).items():
        if facts is not NO_FACTS:
            yield "contact_facts", {"contact_id": contact_id, **facts}
    for contact_id, state in await repository.rule_tags(session, subject_ids):
        yield "rule_tags", {"contact_id": contact_id, **state}


async def erase_more(session: WriteSession, subject_ids: Sequence[str]) -> Mapping[str, int] | None:
    """Every file of contacts that there is, and what bulk changes were asked for by: in which of them the person stands, nobody
    knows. None while one is being made.
    """
    imports, exports = await repository.imports_with_files(session), await repository.exports_with_files(session)
    bulk_changes = await repository.bulk_changes_that_say_something(session)
    busy = any(row.status in IMPORT_BUSY for row in imports) or any(row.status in EXPORT_BUSY for row in exports)
    if busy or any(row.status in ("pending", "running") for row in bulk_changes):
        return None
    for bulk_change in bulk_changes:
        await forget_bulk_change(session, bulk_change)
        await erase_payloads(session, "bulk_change", [bulk_change.id])
    for import_row in imports:
        await forget_import(session, import_row)
        await erase_payloads(session, "import", [import_row.id])
    for export_row in exports:
        await forget_export(session, export_row)
        await erase_payloads(session, "export", [export_row.id])
    return {
        "import_file": len(imports),
        "export_file": len(exports),
        "bulk_change": len(bulk_changes),
        "privacy_archive": await forget_archives(session, subject_ids),
        "relationship_aside": await _forget_aside(session, subject_ids),
        "claim": await repository.forget_claims(session, subject_ids),
    }


async def _forget_aside(session: WriteSession, subject_ids: Sequence[str]) -> int:
    """Relationships that wait are forgotten: their deletion was told when they were set aside, with what they said."""
    kept = await aside_of(session, subject_ids)
    for row in kept:
        await session.delete(row)
        await RELATIONSHIP_EVENTS.forgotten(session, row.id, row.version)
    await erase_payloads(session, "relationship", [row.id for row in kept])
    return len(kept)
