"""Taking the rows of an import in."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_contracts.types import Entity
from crm_kit.audit.changes import differing, members_of
from crm_kit.db.session import WriteSession
from crm_kit.errors import Conflict, FieldError, NotFound, Problem, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.route import require
from crm_kit.resources import Resource, access, change, create
from crm_kit.tabular import Row
from sqlalchemy.exc import IntegrityError

from contacts_svc.features.accounts import repository as accounts
from contacts_svc.features.accounts.resource import ACCOUNTS
from contacts_svc.features.accounts.schemas import AccountWrite
from contacts_svc.features.contacts import repository as contacts
from contacts_svc.features.contacts import rules as contact_rules
from contacts_svc.features.contacts.events import by_people
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.schemas import ContactWrite
from contacts_svc.features.contacts.usecases import normalised_phones
from contacts_svc.features.external_ids.rules import external_keys
from contacts_svc.features.import_columns.rules import ImportResource
from contacts_svc.features.import_likeness.usecases import Likeness
from contacts_svc.features.import_references.usecases import HOLDERS, PLANNED, RESOURCES, account_keys, find_account
from contacts_svc.features.import_rows import repository
from contacts_svc.features.import_rows.errors import SeveralMatch
from contacts_svc.features.import_rows.rules import (
    Fault,
    Json,
    RowData,
    added,
    column_of,
    read_object,
    same_name,
    with_defaults,
)
from contacts_svc.features.import_rows.schemas import Outcome, ParsedRow, Result, Terms

_TOGETHER: Final = 100
"""Rows behind one savepoint."""

_BREATHE: Final = 10
"""After so many rows other requests get their turn."""


class _Undone(Exception):  # it is no error: a dry run ends so
    """Takes back what a dry run has written."""


async def take_in(session: WriteSession, terms: Terms, rows: Sequence[Row], caller: Principal) -> list[Result]:
    """What becomes of the rows, in their order. A dry run leaves nothing behind but what its rows would be found by."""
    parsed: list[ParsedRow] = []
    for row in rows:
        parsed.append(parse(row, terms, caller.region))
        if len(parsed) % _BREATHE == 0:
            await asyncio.sleep(0)
    page = _Page(session, terms, caller)
    results: list[Result] = []
    try:
        async with session.savepoint():
            await page.look_up(parsed)
            for start in range(0, len(parsed), _TOGETHER):
                results += await page.take_in(parsed[start : start + _TOGETHER])
            if terms.dry_run:
                raise _Undone
    except _Undone:
        await repository.add_keys(session, terms.import_id, _planned_keys(parsed, results))
        for result in results:
            result.entity_id = result.entity_id if result.outcome != "created" else None
            result.version = result.before = result.after = None
    return results


def _planned_keys(parsed: Sequence[ParsedRow], results: Sequence[Result]) -> Mapping[str, int]:
    """What the created rows would be found by."""
    by_number = {row.number: row for row in parsed}
    found: dict[str, int] = {}
    for result in results:
        row = by_number[result.row]
        if result.outcome == "created":
            keys = row.keys if result.place == 0 else account_keys(row.reference)
            resource = row.resource if result.place == 0 else "accounts"
            found |= {f"{resource}.{name}:{key}": row.number for name, each in keys.items() for key in each}
    return found


def parse(row: Row, terms: Terms, region: str) -> ParsedRow:
    """What a row says, validated; or its faults."""
    if row.fault is not None:
        return ParsedRow(row.number, terms.resource, faults=[Fault("unreadable", row.fault)])
    found = read_object(terms.resource, row.cells[0]) if terms.columns is None else terms.columns.read(row.cells)
    with_defaults(found, terms.defaults)
    parsed = ParsedRow(row.number, found.resource, places=found.places)
    faults = list(found.faults)
    resource = RESOURCES[found.resource]
    try:
        parsed.data = resource.validated(found.data)
        parsed.keys = _contact_keys(parsed.data, region) if found.resource == "contacts" else _keys(parsed.data)
    except ValidationFailed as problem:
        faults += [_fault(error, found) for error in problem.errors]
    if found.reference:
        try:
            parsed.account, parsed.reference = _validated(found.reference)
        except ValidationFailed as problem:
            faults += [_fault(error.below("/account"), found) for error in problem.errors]
    if isinstance(parsed.data, ContactWrite):
        name = contact_rules.complete_name(parsed.data.first_name, parsed.data.last_name, parsed.data.full_name)
        parsed.name = name.full
    parsed.faults = faults
    return parsed


def _fault(error: FieldError, row: RowData) -> Fault:
    return Fault(error.code, error.detail, column_of(row.places, error.pointer), error.pointer)


def _contact_keys(data: ContactWrite, region: str) -> Mapping[str, Sequence[str]]:
    """Raises ValidationFailed for a number that cannot be dialled."""
    numbers = [phone["number"] for phone in normalised_phones(data.phones, region)]
    return {
        "external_id": external_keys(data.external_ids),
        "email": contact_rules.unique([contact_rules.email_key(email.address) for email in data.emails]),
        "phone": contact_rules.unique(numbers),
    }


def _keys(data: AccountWrite) -> Mapping[str, Sequence[str]]:
    return account_keys({"name": data.name, "domain": data.domain, "external_ids": data.external_ids})


def _validated(reference: Json) -> tuple[AccountWrite | None, Json]:
    """The account that is created where there is none, if it has a name; and what it is looked up by. Raises ValidationFailed."""
    if reference.get("name"):
        account = ACCOUNTS.validated(reference)
        return account, account.model_dump(mode="json", exclude_unset=True)
    named = {name: value for name, value in reference.items() if name != "name"}
    looked_for: AccountWrite = ACCOUNTS.validated({**named, "name": "-"})
    return None, looked_for.model_dump(mode="json", include=set(named))


class _Page:
    """Some rows that are taken in by one transaction."""

    def __init__(self, session: WriteSession, terms: Terms, caller: Principal) -> None:
        self._session = session
        self._terms = terms
        self._caller = caller
        self._rows: Mapping[str, Any] = {}
        self._names: dict[str, str | None] = {}
        self._likeness = Likeness(session, terms, caller)
        self._is_changing = False
        """Whether what failed may have left something half done."""

    async def look_up(self, parsed: Sequence[ParsedRow]) -> None:
        """All that the rows, and what they refer to, may be found by, in as many round trips as there are ways."""
        wanted: dict[tuple[ImportResource, str], set[str]] = {}
        for row in parsed:
            for name, keys in row.keys.items():
                wanted.setdefault((row.resource, name), set()).update(keys)
            for name, keys in account_keys(row.reference).items():
                wanted.setdefault(("accounts", name), set()).update(keys)
        for (resource, name), found in wanted.items():
            await HOLDERS[resource][name].of(self._session, sorted(found))
        if self._terms.dry_run:
            spelled = {
                f"{resource}.{name}:{key}": (resource, name, key)
                for (resource, name), keys in wanted.items()
                for key in keys
            }
            for place, row_number in (
                await repository.planned(self._session, self._terms.import_id, list(spelled))
            ).items():
                resource, name, key = spelled[place]
                HOLDERS[resource][name].assume(self._session, key, f"{PLANNED}{row_number}")
        named = {row.data.account_id for row in parsed if isinstance(row.data, ContactWrite) and row.data.account_id}
        await accounts.look_up_accounts(self._session, named)
        sharing = await contacts.PHONES.of(self._session, wanted.get(("contacts", "phone"), ()))
        self._names = dict(await contacts.names_of(self._session, {id_ for ids in sharing.values() for id_ in ids}))

    async def take_in(self, rows: Sequence[ParsedRow]) -> list[Result]:
        results: list[Result] = []
        await self._likeness.look_at(rows)
        try:
            async with self._session.savepoint(), self._session.gathered():
                await self._lock(rows)
                for place, row in enumerate(rows, 1):
                    results += await self._one(row, alone=False)
                    if place % _BREATHE == 0:
                        await asyncio.sleep(0)
        except (Problem, IntegrityError):
            self._rows = {}
            self._likeness.forget()
            results = []
            for row in rows:
                results += await self._alone(row)
        return results

    async def _lock(self, rows: Sequence[ParsedRow]) -> None:
        """What will be changed, at once; for callers who do not see everything each is looked at as it is locked."""
        self._rows = {}
        if self._session.sights is not None or self._terms.on_match not in ("update", "fill"):
            return
        for resource in RESOURCES:
            found = [await self._match(row) for row in rows if row.resource == resource and not row.faults]
            ids = {id_ for id_ in found if isinstance(id_, str) and not id_.startswith(PLANNED)}
            if ids:
                self._rows = {**self._rows, **await RESOURCES[resource].lock_all(self._session, ids)}

    async def _alone(self, row: ParsedRow) -> list[Result]:
        try:
            async with self._session.savepoint():
                return await self._one(row, alone=True)
        except Problem as problem:
            return [self._refused(row, problem)]
        except IntegrityError:
            return [self._refused(row, Conflict())]

    async def _one(self, row: ParsedRow, *, alone: bool) -> list[Result]:
        """Raises Problem where something may have been half done."""
        if row.faults:
            return [self._rejected(row)]
        self._is_changing = alone or self._session.sights is not None
        try:
            results = await self._taken(row)
        except Problem as problem:
            if self._is_changing:
                raise
            return [self._refused(row, problem)]
        self._likeness.note(results)
        return results

    async def _taken(self, row: ParsedRow) -> list[Result]:
        terms = self._terms
        matched = None if terms.on_match == "create" else await self._match(row)
        if isinstance(matched, SeveralMatch):
            raise matched
        if matched is None:
            likely = self._likeness.of(row)
            if likely and terms.duplicates == "refuse":
                is_there = not likely[0].id.startswith(PLANNED)
                problem = self._likeness.told(likely)
                return [
                    Result(row.number, row.resource, "duplicate", likely[0].id if is_there else None, problem=problem)
                ]
            *others, made = await self._create(row)
            made.problem = self._likeness.told(likely) if likely else None
            return [*others, made]
        if matched.startswith(PLANNED):
            number = matched.removeprefix(PLANNED)
            outcome: Outcome = "duplicate" if terms.on_match == "skip" else "updated"
            told = {
                "code": "same_file",
                "detail": self._told(Text(f"As in row {number}", f"与第 {number} 行相同")),
            }
            return [Result(row.number, row.resource, outcome, problem=told)]
        if terms.on_match == "skip":
            return [Result(row.number, row.resource, "duplicate", matched)]
        return await self._update(row, matched)

    async def _match(self, row: ParsedRow) -> str | SeveralMatch | None:
        """The record that the row speaks of. A number alone is shared by families: its holder's name must not be another."""
        resource = RESOURCES[row.resource]
        for name in self._terms.match[row.resource]:
            held = await HOLDERS[row.resource][name].of(self._session, row.keys[name])
            ids: Sequence[str] = sorted({id_ for each in held.values() for id_ in each})
            if name == "phone":
                ids = [id_ for id_ in ids if same_name(row.name, self._names.get(id_))]
            planned = [id_ for id_ in ids if id_.startswith(PLANNED)]
            if len(planned) < len(ids):
                there = [id_ for id_ in ids if not id_.startswith(PLANNED)]
                ids = await access.findable(self._session, resource, resource.fields.get(name), there)
            if len(ids) > 1:
                return SeveralMatch(
                    Text(f"Several match by {name}.", f"按 {name} 匹配到多个对象。"),
                    members={"matched_by": name, "candidates": list(ids[:20])},
                )
            if ids:
                return ids[0]
        return None

    async def _create(self, row: ParsedRow) -> list[Result]:
        reference, results = await self._refer(row)
        require(self._caller, f"{row.resource}:create")
        data = row.data if reference is None else row.data.model_copy(update=reference)
        entity: Entity = await create(self._session, RESOURCES[row.resource], data, self._caller)
        entity_id = str(entity.id)  # type: ignore[attr-defined]  # every entity type has its own id type
        self._names[entity_id] = row.name
        made = Result(row.number, row.resource, "created", entity_id, entity.version)
        return [*results, self._with_reference(made, row, reference)]

    async def _update(self, row: ParsedRow, entity_id: str) -> list[Result]:
        resource = RESOURCES[row.resource]
        require(self._caller, f"{row.resource}:update")
        stored = self._rows.get(entity_id) or await resource.lock(self._session, entity_id)
        reference, results = await self._refer(row)
        before, said = resource.events.snapshot(stored), said_of(resource, stored)
        given = row.data.model_dump(mode="json", exclude_unset=True) | (reference or {})
        if "phones" in given:
            given["phones"] = normalised_phones(row.data.phones, self._caller.region)
        present = before.model_dump(mode="json")
        patch = added(present, given, fill=self._terms.on_match == "fill", email_key=contact_rules.email_key)
        self._is_changing = True
        await change(self._session, resource, stored, patch, self._caller)
        unchanged = Result(row.number, row.resource, "unchanged", entity_id, stored.version)
        result = changed(unchanged, said, said_of(resource, stored))
        return [*results, self._with_reference(result, row, reference)]

    async def _refer(self, row: ParsedRow) -> tuple[Json | None, list[Result]]:
        """The member that refers to the account which the row names; None where it names none, or none is there yet."""
        if not row.reference:
            return None, []
        member = "account_id" if row.resource == "contacts" else "parent_id"
        found = await find_account(self._session, row.reference)
        if found is not None:
            accounts.note_account(self._session, found, is_there=True)
            return ({member: found} if not found.startswith(PLANNED) else {}), []
        if row.account is None or not self._terms.create_accounts:
            return None, []
        require(self._caller, "accounts:create")
        self._is_changing = True  # the account must not stay where the row is refused
        account = await create(self._session, ACCOUNTS, row.account, self._caller)
        made = Result(row.number, "accounts", "created", str(account.id), account.version, place=1)
        return {member: account.id}, [made]

    def _with_reference(self, result: Result, row: ParsedRow, reference: Json | None) -> Result:
        if row.reference and reference is None:
            result.reference = row.reference
        return result

    def _rejected(self, row: ParsedRow) -> Result:
        errors = [
            {"column": fault.column, "pointer": fault.pointer, "code": fault.code, "detail": self._told(fault.text)}
            for fault in row.faults
        ]
        detail = self._told(Text("The row is not valid; see errors.", "该行无效，见 errors。"))
        problem = {"code": "validation_failed", "detail": detail, "errors": errors}
        return Result(row.number, row.resource, "rejected", problem=problem)

    def _refused(self, row: ParsedRow, problem: Problem) -> Result:
        body: Json = problem.body(self._terms.language)
        for error in body.get("errors", ()):
            error["column"] = column_of(row.places, error["pointer"])
        outcome: Outcome = "conflict" if isinstance(problem, Conflict | NotFound) else "rejected"
        return Result(row.number, row.resource, outcome, problem=body)

    def _told(self, text: Text) -> str:
        return text.get(self._terms.language)


def said_of(resource: Resource[Any, Any, Any], row: Any) -> Any:
    """A record as people and imports say it is: what rules make of it is nothing to take back."""
    return by_people(row) if isinstance(row, ContactRow) else resource.events.snapshot(row)


def changed(result: Result, before: Entity, after: Entity) -> Result:
    """With what an update has changed, if anything."""
    if after.version != before.version:
        old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
        names = differing(members_of(before), members_of(after))
        result.outcome = "updated" if result.outcome == "unchanged" else result.outcome
        result.version = after.version
        result.before = {name: old[name] for name in names}
        result.after = {name: new[name] for name in names}
    return result
