"""Taking back what became of rows."""

from collections.abc import Sequence
from typing import Literal

from crm_kit.db.session import WriteSession
from crm_kit.errors import Erased, NotFound, Problem
from crm_kit.http.principal import Principal
from crm_kit.resources import change
from sqlalchemy.exc import IntegrityError

from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.import_references.usecases import RESOURCES
from contacts_svc.features.import_rows import repository
from contacts_svc.features.import_rows.models import ImportResultRow
from contacts_svc.features.import_rows.rules import restoring
from contacts_svc.features.import_rows.usecases import said_of
from contacts_svc.features.tagging.rules import with_given

Reverted = Literal["deleted", "restored", "partly", "changed_since", "in_use", "gone", "refused"]
"""`partly`: some members have been changed since, and stay. `in_use`: something else belongs to it by now."""


async def take_back(
    session: WriteSession, import_id: str, results: Sequence[ImportResultRow], caller: Principal
) -> list[Reverted]:
    """What came of each, in their order; each is undone by itself where it fails."""
    made = await repository.made_of(session, import_id, [result.entity_id for result in results if result.entity_id])
    created = [id_ for result in results if result.outcome == "created" and (id_ := result.entity_id)]
    used = await repository.in_use(session, import_id, created)
    found: list[Reverted] = []
    for result in results:
        entity_id = result.entity_id
        assert entity_id is not None, "only what has become something is asked for"
        version, is_ours = made[entity_id]
        if result.outcome == "updated" and is_ours:
            found.append("deleted")  # with its creation, or kept with it
            result.reverted = "with_creation"
            continue
        try:
            async with session.savepoint():
                came = await _take_back(session, result, version, entity_id in used, caller)
        except (NotFound, Erased):
            came = "gone"
        except (Problem, IntegrityError):
            came = "refused"
        result.reverted = came
        found.append(came)
    await session.flush()
    return found


async def _take_back(
    session: WriteSession, result: ImportResultRow, version: int, is_used: bool, caller: Principal
) -> Reverted:
    """Raises NotFound where it is there no more, and Problem where the caller may not."""
    resource = RESOURCES[result.resource]  # type: ignore[index]  # what was stored is one of them
    entity_id = result.entity_id or ""
    if result.outcome == "created":
        row = await resource.lock(session, entity_id, "delete")
        if row.version != version:
            return "changed_since"
        if is_used:
            return "in_use"
        assert resource.delete is not None, "both can be deleted"
        await resource.delete(session, row, caller)
        return "deleted"
    row = await resource.lock(session, entity_id)
    present = said_of(resource, row).model_dump(mode="json")
    # What follows from other members, as a history does, is not written but follows from them again.
    before = {name: value for name, value in (result.before or {}).items() if name in resource.write.model_fields}
    patch, kept = restoring(present, before, result.after or {})
    if "tags" in patch and isinstance(row, ContactRow):
        patch["tags"] = with_given(patch["tags"], row.rule_tags)
    if patch:
        await change(session, resource, row, patch, caller)
    return "partly" if kept and patch else "changed_since" if kept else "restored"
