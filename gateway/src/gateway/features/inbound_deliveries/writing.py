"""Each planned record is written by the requests that anybody would send, so that rights, audit log and events are the same."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.features.inbound_deliveries.calling import RecordRefused, TryLater
from gateway.features.inbound_deliveries.persons import find_person, name_of, reached_by, was_erased
from gateway.features.inbound_deliveries.work import Json, Record, Work
from gateway.inbound.mappings import Planned, Wanted
from gateway.inbound.merging import GUEST, KNOWN, flat, is_news, merge, nested, noted

ERASED: Final = "erased"
_ATTEMPTS: Final = 3
_NO_EXTERNAL_IDS: Final = frozenset({"activities"})
_NOT_THEIRS: Final = frozenset({"yielded", "owned_by_another"})
_OF_A_MAP: Final = frozenset({"accounts"})
"""Whose ids at other systems stand under `external_ids`, as a contact's do."""


class ReferenceMissing(Exception):
    """It refers to something that has not come yet; the order of deliveries is promised by nobody."""


class DecisionNeeded(Exception):
    """The mapping leaves it to somebody to decide."""


async def write(work: Work, place: int) -> None:
    """Raises TryLater, RecordRefused, AmbiguousPerson, ReferenceMissing, DecisionNeeded."""
    planned = work.planned[place]
    if planned.method == "decide":
        raise DecisionNeeded(planned.resource)
    found = {member: await _referred(work, wanted) for member, wanted in planned.refs.items()}
    refs = {member: id_ for member, id_ in found.items() if id_ is not None}
    match planned.resource:
        case "contacts":
            record = await _contact(work, planned, refs)
        case "consents":
            record = await _consent(work, planned, refs)
        case "privacy-requests":
            record = await _privacy_request(work, planned, refs)
        case _:
            record = await _record(work, planned, refs)
    results = work.results
    results.records[place] = record
    if planned.resource == "contacts" and record.id is not None:
        results.contact_ids.add(record.id)
    results.contact_ids |= {refs["contact_id"]} if "contact_id" in refs else set()
    results.refs.append(
        {"resource": planned.resource, "external_id": planned.external_id, "id": record.id, "outcome": record.outcome}
    )


async def _referred(work: Work, wanted: Wanted) -> str | None:
    """The id of what a record refers to. Raises ReferenceMissing."""
    if wanted.planned is not None:
        record = work.results.records.get(wanted.planned)
        if record is not None and record.id is not None:
            return record.id
        if wanted.optional or (record is not None and record.outcome == ERASED):
            return None
        raise ReferenceMissing("what it refers to could not be written")
    found = None
    if wanted.resource == "contacts":
        emails, phones = [wanted.email] if wanted.email else [], [wanted.phone] if wanted.phone else []
        person = await find_person(
            work.calls, work.source.system, wanted.external_id, emails, phones, work.source.on_ambiguous
        )
        found = person["id"] if person is not None else None
    elif wanted.resource is not None and wanted.external_id is not None:
        found = await _found_record(work, wanted.resource, wanted.external_id)
    if found is None and not wanted.optional:
        raise ReferenceMissing(f"there is no such record of {wanted.resource} yet")
    return found


async def _found_record(work: Work, resource: str, external_id: str) -> str | None:
    record_id, _ = await work.applied(resource, external_id)
    if record_id is not None or not work.calls.is_known(resource):
        return record_id
    key = f"{work.source.system.replace(':', '%3A')}:{external_id}"
    where = (
        {"field": "external_id", "op": "eq", "value": key}
        if resource in _OF_A_MAP
        else {
            "all": [
                {"field": "source", "op": "eq", "value": work.source.system},
                {"field": "external_id", "op": "eq", "value": external_id},
            ]
        }
    )
    found = await work.calls.search(resource, where, 1)
    return str(found[0]["id"]) if found else None


async def _contact(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record:
    """Found or made, and changed as far as this source's word counts."""
    known = await _known_contact(work, planned, refs)
    if known is not None:
        return known
    emails, phones = reached_by(planned.data)
    if planned.external_id is None and not emails and not phones:
        return Record(None, "unchanged")
    for attempt in range(_ATTEMPTS):
        current = await find_person(
            work.calls, work.source.system, planned.external_id, emails, phones, work.source.on_ambiguous,
            name=name_of(planned.data),
        )  # fmt: skip
        try:
            if current is None and work.is_fetched and await was_erased(work.calls, emails, phones, planned.at):
                return Record(None, ERASED)
            if current is None:
                return await _made_contact(work, planned, refs)
            return await _changed_contact(work, planned, refs, current)
        except RecordRefused as refused:
            if refused.status != 412 or attempt == _ATTEMPTS - 1:
                raise
    raise TryLater("it is changed again and again")


async def _known_contact(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record | None:
    """Whoever is known at the source, and of whom nothing new is said: most of those who order."""
    if planned.external_id is None:
        return None
    contact_id, _ = await work.applied("contacts", _by_id(planned.external_id))
    if contact_id is None:
        return None
    _, said = await work.applied("contacts", contact_id)
    if not said or is_news(_theirs(planned, refs), at=work.time_of(planned), said=said, digest=work.digest):
        return None
    return None if await work.is_gone(contact_id) else Record(contact_id, "unchanged")


def _by_id(external_id: str) -> str:
    return f"id:{external_id}"


def applied_keys(planned: Iterable[Planned]) -> set[tuple[str, str]]:
    """By which it is kept what was applied of these records, and of those that they refer to: as `write` asks for it."""
    found: set[tuple[str, str]] = set()
    for one in planned:
        if one.external_id is not None:
            found.add((one.resource, _by_id(one.external_id) if one.resource == "contacts" else one.external_id))
        for wanted in one.refs.values():
            if wanted.resource is not None and wanted.resource != "contacts" and wanted.external_id is not None:
                found.add((wanted.resource, wanted.external_id))
    return found


def _keep(work: Work, planned: Planned, contact_id: str, said: Json) -> None:
    work.apply("contacts", contact_id, contact_id, said)
    if planned.external_id is not None:
        work.apply("contacts", _by_id(planned.external_id), contact_id, {})


def _theirs(planned: Planned, refs: Mapping[str, str]) -> Json:
    return flat({**planned.data, **refs})


async def _made_contact(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record:
    if planned.method == "update":
        raise ReferenceMissing("the contact is not there yet")
    rank = GUEST if planned.external_id is None else KNOWN
    policy = work.policy("contacts")
    theirs = {name: value for name, value in _theirs(planned, refs).items() if policy(name) not in _NOT_THEIRS}
    data = nested({name: value for name, value in theirs.items() if value not in (None, [], {})})
    data.setdefault("source", work.source.system)
    if planned.external_id is not None:
        data["external_ids"] = {work.source.system: planned.external_id}
    made = await work.calls.create("contacts", data)
    merged = merge(
        {}, theirs, at=work.time_of(planned), rank=rank, said={}, policy=lambda _: "shared", digest=work.digest,
    )  # fmt: skip
    _keep(work, planned, str(made["id"]), noted(merged, standing(made), work.digest))
    return Record(str(made["id"]), "created")


async def _changed_contact(work: Work, planned: Planned, refs: Mapping[str, str], current: Json) -> Record:
    contact_id = str(current["id"])
    _, said = await work.applied("contacts", contact_id)
    rank = GUEST if planned.external_id is None else KNOWN
    now = standing(current)
    merged = merge(
        now, _theirs(planned, refs), at=work.time_of(planned), rank=rank, said=said,
        policy=work.policy("contacts"), digest=work.digest,
    )  # fmt: skip
    patch = nested(merged.patch)
    if planned.external_id is not None and current["external_ids"].get(work.source.system) != planned.external_id:
        patch["external_ids"] = {work.source.system: planned.external_id}
    answer = current
    if patch:
        answer = await work.calls.patch("contacts", contact_id, patch, current["version"])
    kept = noted(merged, standing(answer), work.digest)
    _keep(work, planned, contact_id, kept)
    work.disagree("contacts", contact_id, merged.disagreements)
    return Record(contact_id, "updated" if answer["version"] != current["version"] else "unchanged")


def standing(entity: Mapping[str, Any]) -> Json:
    """What stands in a record, flat, as mappings would write it: without the nulls of an address."""
    members = flat(entity)
    return {
        name: {part: each for part, each in value.items() if each is not None} if isinstance(value, dict) else value
        for name, value in members.items()
    }


async def _record(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record:
    """A record that is the source's own. The newest version counts, whole; what is yielded is left out."""
    resource, external_id = planned.resource, planned.external_id
    if external_id is None:
        raise RecordRefused("external_id_missing", 422, {})
    if not work.calls.is_known(resource):
        raise RecordRefused("resource_unknown", 404, {})
    record_id, said = await work.applied(resource, external_id)
    theirs = {name: value for name, value in flat({**planned.data, **refs}).items() if value is not None}
    at, of, before = work.time_of(planned), work.digest(theirs), said.get("at", "")
    is_stale = planned.method == "upsert" and (before > at or (before == at and said["of"] == of))
    if is_stale and not any(planned.add.values()):
        return Record(record_id, "stale" if before > at else "unchanged")
    if resource in _NO_EXTERNAL_IDS:
        if record_id is not None:
            return Record(record_id, "unchanged")
        made = await work.calls.create(resource, {**planned.data, **refs})
        work.apply(resource, external_id, made["id"], {"at": at, "of": of})
        return Record(str(made["id"]), "created")
    data = {} if is_stale else nested(theirs)
    additions = {name: items for name, items in planned.add.items() if items}
    policy = work.policy(resource)
    is_looked_at = additions or planned.method == "update" or any(policy(name) in _NOT_THEIRS for name in theirs)
    if record_id is None and is_looked_at:
        record_id = await _found_record(work, resource, external_id)
    if record_id is None and planned.method == "update":
        raise ReferenceMissing(f"the record of {resource} is not there yet")
    outcome, told = "unchanged", dict(said.get("told", {}))
    if data or additions:
        record_id, outcome = await _written_record(work, planned, record_id, data, additions, told)
    if planned.method == "upsert" and not is_stale:
        work.apply(resource, external_id, record_id, {"at": at, "of": of, "told": told})
    return Record(record_id, outcome)


async def _written_record(
    work: Work,
    planned: Planned,
    record_id: str | None,
    data: Json,
    additions: Mapping[str, list[Json]],
    told: dict[str, str],
) -> tuple[str, str]:
    """`told`: by member, of what was said in vain; each is told once."""
    resource, system = planned.resource, work.source.system
    policy = work.policy(resource)
    limited = [name for name in flat(data) if policy(name) in _NOT_THEIRS]
    if record_id is not None and (limited or additions or planned.method == "update"):
        current = await work.calls.get(resource, record_id)
        data = _allowed(work, planned, current, data, told)
        for name, items in additions.items():
            standing_items = current.get(name) or []
            added = _added(standing_items, items)
            if added != standing_items:
                data[name] = added
        if not data:
            return record_id, "unchanged"
        answer = await work.calls.patch(resource, record_id, data, current["version"])
        return record_id, "updated" if answer["version"] != current["version"] else "unchanged"
    data = {**nested({name: value for name, value in flat(data).items() if name not in limited}), **additions}
    if resource in _OF_A_MAP:
        data["external_ids"] = {system: planned.external_id}
    else:
        data |= {"source": system, "external_id": planned.external_id}
    found_id, is_new = await work.calls.upsert(resource, data)
    return found_id, "created" if is_new else "updated"


def _added(now: list[Json], items: list[Json]) -> list[Json]:
    """What stands there and what is new, by `external_id`.

    Of two times of one item the earlier counts: a shop that does not say when it gave something back has the order's last change in
    its place, which is later. So they end alike in whatever order they come.
    """
    whole = list(now)
    places = {each["external_id"]: place for place, each in enumerate(now)}
    for item in items:
        place = places.get(item["external_id"])
        if place is None:
            places[item["external_id"]] = len(whole)
            whole.append(item)
        elif _is_earlier(item.get("at"), whole[place].get("at")):
            whole[place] = {**whole[place], "at": item["at"]}
    return whole


def _is_earlier(at: str | None, than: str | None) -> bool:
    return at is not None and than is not None and datetime.fromisoformat(at) < datetime.fromisoformat(than)


def _allowed(work: Work, planned: Planned, current: Json, data: Json, told: dict[str, str]) -> Json:
    """Without what is not the source's to say; what differs there is told."""
    now = standing(current)
    merged = merge(
        {name: now.get(name) for name in flat(data)}, flat(data), at=work.time_of(planned), rank=KNOWN, said={},
        policy=lambda member: "owned" if work.policy(planned.resource)(member) in ("owned", "shared") else "yielded",
        digest=work.digest,
    )  # fmt: skip
    lost = [
        one
        for one in merged.disagreements
        if one.winner == "relata" and told.get(one.member) != work.digest(one.theirs)
    ]
    told |= {one.member: work.digest(one.theirs) for one in lost}
    work.disagree(planned.resource, str(current["id"]), lost)
    yielded = {name for name in flat(data) if work.policy(planned.resource)(name) in _NOT_THEIRS}
    return nested({name: value for name, value in flat(data).items() if name not in yielded})


async def _consent(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record:
    """Into the ledger, which decides by the time of each entry, so that one that comes late is late there too.

    `refused`: a box that was not ticked. It takes back what was granted at this source, and says nothing of other consents.
    """
    contact_id = refs.get("contact_id")
    if contact_id is None:
        return Record(None, "unchanged")
    data = {name: value for name, value in planned.data.items() if value is not None}
    key = f"{contact_id}:{data.get('channel')}:{data.get('purpose')}"
    _, said = await work.applied("consents", key)
    at, status = planned.at or work.received_at, data.get("status")
    said = {"granted": None, "refused": None, "told": [], **said}
    word = "granted" if status == "granted" else "refused"
    moment = at.isoformat()
    if said[word] is None or moment > said[word]:
        said = {**said, word: moment}
    wanted = []
    if status == "withdrawn":
        wanted.append(("withdrawn", at))
    if status == "granted":
        wanted.append(("granted", at))
    if said["granted"] and said["refused"] and said["refused"] > said["granted"]:
        wanted.append(("withdrawn", type(at).fromisoformat(said["refused"])))
    outcome, entry_id = "unchanged", None
    for what, when in wanted:
        mark = work.digest([what, when.isoformat()])
        if mark in said["told"]:
            continue
        body = {**data, "status": what, "at": when.isoformat(), "source": data.get("source", work.source.system)}
        entry = await work.calls.create("contacts", body, f"/{contact_id}/consents", part=f"consent-{what}")
        said = {**said, "told": [*said["told"], mark][-50:]}
        outcome, entry_id = "created", str(entry["id"])
    work.apply("consents", key, contact_id, said)
    return Record(entry_id, outcome)


async def _privacy_request(work: Work, planned: Planned, refs: Mapping[str, str]) -> Record:
    """Of whoever is here; of nobody there is nothing to give out or to erase."""
    contact_id = refs.get("contact_id")
    if contact_id is None:
        return Record(None, "unchanged")
    if planned.external_id is not None:
        request_id, _ = await work.applied("privacy-requests", planned.external_id)
        if request_id is not None:  # it was asked for once, and told twice
            return Record(request_id, "unchanged")
    data = {name: value for name, value in planned.data.items() if value is not None}
    try:
        made = await work.calls.create("privacy-requests", {**data, "contact_id": contact_id})
    except RecordRefused as refused:
        if (same := refused.problem.get("request_id")) is not None:
            return Record(str(same), "unchanged")
        raise
    if planned.external_id is not None:
        work.apply("privacy-requests", planned.external_id, str(made["id"]), {})
    return Record(str(made["id"]), "created")
