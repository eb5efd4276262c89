"""What is held of persons beside entities: files of imports and exports, merged contacts, what waits for the end of a merge, claims."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from crm_kit.audit import erase_payloads
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.privacy import Taken

from contacts_svc.features.bulk_changes.usecases import forget_bulk_change
from contacts_svc.features.exports.usecases import forget_condition, forget_export
from contacts_svc.features.facts.repository import facts_by_contact
from contacts_svc.features.facts.rules import NO_FACTS
from contacts_svc.features.imports.usecases import forget_import
from contacts_svc.features.privacy import repository
from contacts_svc.features.privacy.repository import Whose
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
    for contact_id, at in await repository.last_activity(session, subject_ids):
        yield "last_activity", {"contact_id": contact_id, "last_at": at.isoformat()}
    for contact_id, facts in (await facts_by_contact(session, subject_ids)).items():
        if facts is not NO_FACTS:
            yield "contact_facts", {"contact_id": contact_id, **facts}
    for contact_id, state in await repository.rule_tags(session, subject_ids):
        yield "rule_tags", {"contact_id": contact_id, **state}


async def erase_more(session: WriteSession, subject_ids: Sequence[str]) -> Taken | None:
    """Files in which one of the persons stands, or may stand; and what bulk changes and exports were asked for by, which may
    name anybody. None while a file is being made, or a bulk change runs.
    """
    if await repository.is_at_work(session):
        return None
    taken: dict[str, Counter[str]] = {subject_id: Counter() for subject_id in subject_ids}
    for kind, rows in (
        ("bulk_change", await _forget_bulk_changes(session, subject_ids)),
        ("import_file", await _forget_imports(session, subject_ids)),
        ("export_file", await _forget_exports(session, subject_ids)),
        ("relationship_aside", await _forget_aside(session, subject_ids)),
    ):
        for whose in rows:
            for subject_id in whose & taken.keys():
                taken[subject_id][kind] += 1
    for kind, forgotten in (
        ("privacy_archive", await forget_archives(session, subject_ids)),
        ("claim", await repository.forget_claims(session, subject_ids)),
        ("last_activity", await repository.forget_last_activity(session, subject_ids)),
    ):
        for subject_id in forgotten:
            taken[subject_id][kind] += 1
    return taken


async def _forget_bulk_changes(session: WriteSession, subject_ids: Sequence[str]) -> list[Whose]:
    rows = await repository.bulk_changes_that_say_something(session, subject_ids)
    for row in rows:
        await forget_bulk_change(session, row)
        await erase_payloads(session, "bulk_change", [row.id])
    return [frozenset(subject_ids) for _ in rows]


async def _forget_imports(session: WriteSession, subject_ids: Sequence[str]) -> list[Whose]:
    found = await repository.imports_that_may_hold(session, subject_ids)
    for row, _ in found:
        await forget_import(session, row)
        await erase_payloads(session, "import", [row.id])
    return [whose for _, whose in found]


async def _forget_exports(session: WriteSession, subject_ids: Sequence[str]) -> list[Whose]:
    for row in await repository.exports_asked_by_condition(session):
        await forget_condition(session, row)
        await erase_payloads(session, "export", [row.id])
    found = await repository.exports_that_may_hold(session, subject_ids)
    for row, _ in found:
        await forget_export(session, row)
        await erase_payloads(session, "export", [row.id])
    return [whose for _, whose in found]


async def _forget_aside(session: WriteSession, subject_ids: Sequence[str]) -> list[Whose]:
    """Relationships that wait are forgotten: their deletion was told when they were set aside, with what they said."""
    kept = await aside_of(session, subject_ids)
    for row in kept:
        await session.delete(row)
        await RELATIONSHIP_EVENTS.forgotten(session, row.id, row.version)
    await erase_payloads(session, "relationship", [row.id for row in kept])
    return [frozenset(row.end_ids) for row in kept]
