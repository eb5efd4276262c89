"""Records as rows of a file, as far as the caller sees them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from crm_contracts.sensitivity import PRIVATE, Classified, Sensitivity, classes_of
from crm_contracts.types import Entity
from crm_kit.custom_fields import Declared
from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal
from crm_kit.resources import Resource
from crm_kit.tabular import Format
from crm_kit.tabular.workbook_writing import MAX_CELL, workbook_line
from crm_kit.tabular.writing import csv_lines

from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.activities.resource import ACTIVITIES
from contacts_svc.features.contacts.resource import CONTACTS
from contacts_svc.features.export_columns.rules import (
    MODELS,
    OF_ACCOUNT,
    REFERENCES,
    Column,
    ExportResource,
    Member,
    cell_of,
    text_of,
)
from contacts_svc.features.export_rows.repository import accounts_of

Json = dict[str, Any]

RESOURCES: Final[Mapping[ExportResource, Resource[Any, Any, Any]]] = {
    "contacts": CONTACTS,
    "accounts": ACCOUNTS,
    "activities": ACTIVITIES,
}

_BREATHE: Final = 50
"""After so many rows other requests get their turn."""


@dataclass(frozen=True, slots=True)
class Written:
    """`content`: the lines. `shown`: the sensitivities of which something stands in them in clear. `cut`: cells too long."""

    content: bytes
    shown: frozenset[Sensitivity]
    cut: int


def is_shown(session: ReadSession, member: Member, declared: Declared, caller: Principal) -> bool:
    """Whether the caller sees a column of any record, be it masked."""
    if not caller.may(f"{member.resource}:read"):
        return False
    if session.sights is None:
        return True
    rights = session.sights.rights.on(member.resource).at_most("own")
    return any(
        rights.reads(each.sensitivity) or (rights.seen[each.sensitivity] == "masked" and each.mask is not None)
        for each in _classes(member, declared)
    )


def _classes(member: Member, declared: Declared) -> list[Classified]:
    """Of a member; of all custom values those of each."""
    if member.custom is not None:
        return [declared.classes.get(member.custom, PRIVATE)]
    if member.name == "custom":
        return [PRIVATE, *declared.classes.values()]
    return [classes_of(MODELS[member.resource])[member.name]]  # type: ignore[index]  # a column's is one of them


async def write_rows(
    session: ReadSession,
    resource: ExportResource,
    rows: Sequence[Any],
    columns: Sequence[Column],
    *,
    format_: Format,
    delimiter: str | None,
    encoding: str,
) -> Written:
    """What the caller sees of records that they have been asked for (`Walk.page`)."""
    events = RESOURCES[resource].events
    heads = {each.head for each in columns}
    referred = {name: member for name, member in REFERENCES.items() if name in heads}
    accounts = await _accounts(session, rows, referred.values())
    documents: list[Json] = []
    for place, row in enumerate(rows, 1):
        document = _seen(session, events.snapshot(row))
        # Where the reference itself is kept back, so is what it refers to.
        documents.append(
            document | {name: accounts.get(document.get(member) or "") for name, member in referred.items()}
        )
        if place % _BREATHE == 0:
            await asyncio.sleep(0)
    shown = await _in_clear(session, resource, [row.id for row in rows], list(accounts), columns)
    match format_:
        case "csv":
            texts = ([text_of(each.get(document), each.kind) for each in columns] for document in documents)
            return Written(csv_lines(texts, delimiter=delimiter or ",", encoding=encoding), shown, 0)
        case "ndjson":
            lines = (orjson.dumps({each.path: each.get(document) for each in columns}) for document in documents)
            return Written(b"".join(line + b"\n" for line in lines), shown, 0)
        case "xlsx":
            return _workbook_lines(documents, columns, shown)


def _workbook_lines(documents: Iterable[Json], columns: Sequence[Column], shown: frozenset[Sensitivity]) -> Written:
    lines, cut = [], 0
    for document in documents:
        cells = [cell_of(each.get(document), each.kind) for each in columns]
        for place, cell in enumerate(cells):
            if isinstance(cell, str) and len(cell) > MAX_CELL:
                cells[place], cut = cell[:MAX_CELL], cut + 1
        lines.append(workbook_line(cells))
    return Written(b"".join(lines), shown, cut)


def _seen(session: ReadSession, entity: Entity) -> Json:
    return entity.model_dump(mode="json") if session.sights is None else session.sights.shown(entity)


async def _accounts(session: ReadSession, rows: Sequence[Any], members: Iterable[str]) -> Mapping[str, Json]:
    """What the caller sees of the accounts that rows refer to, by id."""
    ids = {id_ for member in members for row in rows if (id_ := getattr(row, member)) is not None}
    seen = await ACCOUNTS.seen(session, await accounts_of(session, ids))
    found = {row.id: _seen(session, ACCOUNTS.events.snapshot(row)) for row in seen}
    return {
        id_: {name: value for name in OF_ACCOUNT if (value := document.get(name)) is not None}
        for id_, document in found.items()
    }


async def _in_clear(
    session: ReadSession,
    resource: ExportResource,
    ids: Collection[str],
    account_ids: Collection[str],
    columns: Sequence[Column],
) -> frozenset[Sensitivity]:
    declared = await RESOURCES[resource].declared(session)
    found: set[Sensitivity] = set()
    for column in columns:
        classes = {each.sensitivity for each in _classes(column.member, declared)}
        for entity_id in account_ids if column.head in REFERENCES else ids:
            rights = session.sights.of(entity_id) if session.sights is not None else None
            found |= {one for one in classes if rights is None or rights.reads(one)}
            if classes <= found:
                break
    return frozenset(found)
