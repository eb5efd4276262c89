"""What a field was: read out of the audit log, as far as the caller sees it now."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_contracts.ids import AuditEntryId
from crm_contracts.sensitivity import PRIVATE, Classified, classes_of
from crm_kit.audit.entries import read_changes
from crm_kit.audit.reads import SENSITIVE, Read, note_reads
from crm_kit.audit.repository import newest_of
from crm_kit.db.session import ReadSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.jobs.repository import kinds_of
from crm_kit.resources import Resource
from crm_kit.rights import CUSTOM, EVERYTHING
from starlette.requests import HTTPConnection

from contacts_svc.features.field_history.rules import said_of, source_of
from contacts_svc.features.field_history.schemas import FieldChange, FieldHistory, HistorySource

MOST_FIELDS: Final = 20

_LOOKED_AT: Final = 500
"""Entries for one page: a record of which one member changes all the time is paged through, rather than read whole."""

_BOOKKEEPING: Final = frozenset({"id", "version", "created_at", "updated_at", CUSTOM})
_CUSTOM_NAME: Final = re.compile("[a-z][a-z0-9_]{0,62}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def known_fields(resource: Resource[Any, Any, Any]) -> list[str]:
    """Those that every tenant has."""
    return sorted(resource.read.model_fields.keys() - _BOOKKEEPING)


async def history_of(
    request: HTTPConnection,
    session: ReadSession,
    resource: Resource[Any, Any, Any],
    entity_id: str,
    fields: Sequence[str] | None,
    *,
    parameter: str,
    cursor: str | None = None,
    limit: int,
) -> FieldHistory:
    """Of a record that was looked at for the caller. About `limit` changes; those of one moment stay together.

    `fields`: None for all of them. `parameter`: in which they were named. Raises ValidationFailed for what is no field.
    """
    classes = await _classes(session, resource, fields, parameter)
    rights = EVERYTHING if session.sights is None else session.sights.of(entity_id)
    assert rights is not None, "it was looked at"
    seen = {
        name: each
        for name, each in classes.items()
        if rights.reads(each.sensitivity) or (rights.seen[each.sensitivity] == "masked" and each.mask is not None)
    }
    rows = await newest_of(session, entity_id, _place(cursor), _LOOKED_AT + 1)
    jobs = await kinds_of(session, {row["request_id"] for row in rows if row["request_id"].startswith("job_")})
    data: list[FieldChange] = []
    last, shown = None, set()
    for row in rows[:_LOOKED_AT]:
        if len(data) >= limit:
            break
        last = row
        for name, each in seen.items():
            said = said_of(read_changes(row["changes"]) or {}, name)
            if said is None:
                continue
            value = said.value if said.value is None else rights.shown(said.value, each.sensitivity, each.mask)
            if value is not None and rights.reads(each.sensitivity) and each.sensitivity in SENSITIVE:
                shown.add(each.sensitivity)
            data.append(_change(row, name, value, said.is_omitted, jobs))
    note_reads(request, [Read(entity_id, frozenset(shown))])
    is_more = last is not None and rows[-1]["id"] != last["id"]
    return FieldHistory(
        data=data,
        redacted=[name for name in classes if name not in seen],
        next_cursor=_spelled(last) if is_more and last is not None else None,
    )


def _change(
    row: Mapping[str, Any], field: str, value: Any, is_omitted: bool, jobs: Mapping[str, tuple[str, str]]
) -> FieldChange:
    source = source_of(row["action"], row["via"], row["request_id"], row["version"], jobs)
    return FieldChange(
        field=field,
        value=value,
        omitted=is_omitted,
        at=row["at"],
        version=row["version"],
        actor_id=row["actor"],
        source=HistorySource(kind=source.kind, id=source.id),
    )


async def _classes(
    session: ReadSession, resource: Resource[Any, Any, Any], fields: Sequence[str] | None, parameter: str
) -> Mapping[str, Classified]:
    """How sensitive each is. What nobody declared under `custom` is private, also what is declared no more."""
    model: Any = resource.read
    known, declared = classes_of(model), (await resource.declared(session)).classes
    if fields is None:
        members = {name: known.get(name, PRIVATE) for name in known_fields(resource)}
        return members | {f"{CUSTOM}.{name}": each for name, each in declared.items()}
    found: dict[str, Classified] = {}
    wrong: list[str] = []
    for field in dict.fromkeys(fields):
        member, _, name = field.partition(".")
        if member == CUSTOM and _CUSTOM_NAME.fullmatch(name):
            found[field] = declared.get(name, PRIVATE)
        elif field in known_fields(resource):
            found[field] = known.get(field, PRIVATE)
        else:
            wrong.append(field[:100])
    if wrong or not found or len(found) > MOST_FIELDS:
        names = ", ".join(known_fields(resource))
        text = Text(
            f"No field: {', '.join(wrong) or '-'}. Name up to {MOST_FIELDS} of {names}, custom.<name>, with commas between them",
            f"无此字段：{'、'.join(wrong) or '-'}。请以逗号分隔，最多 {MOST_FIELDS} 个：{names}、custom.<名称>",
        )
        raise ValidationFailed(text, errors=[FieldError(f"?{parameter}", "unknown_field", text)])
    return found


def _place(cursor: str | None) -> tuple[datetime, AuditEntryId] | None:
    if not cursor:
        return None
    micros, _, entry_id = cursor.partition("-")
    return _EPOCH + int(micros) * _MICROSECOND, AuditEntryId(entry_id)


def _spelled(row: Mapping[str, Any]) -> str:
    return f"{(row['at'] - _EPOCH) // _MICROSECOND}-{row['id']}"
