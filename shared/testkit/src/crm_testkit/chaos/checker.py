"""Compares what clients were told with what there is in the end. Pure: it knows no stack and asks nobody."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from crm_contracts.envelope import Event
from crm_kit.states import digest_of

from crm_testkit.chaos.history import MARKED, History, Write

Verdict = Literal["lost", "duplicated", "reordered", "invented", "cross-tenant"]

_NOTES: Final = {"contacts": "title", "deals": "next_step"}
"""The member of each resource that an update writes its mark into."""

_RESOURCES: Final = {
    "contact": "contacts",
    "deal": "deals",
    "order": "orders",
    "ticket": "tickets",
    "activity": "activities",
}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What no history of acknowledged writes explains. `where`: the services, the log, the view, a copy, the mail."""

    verdict: Verdict
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.verdict} in {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class EndState:
    """What one tenant has when all is quiet.

    `entities`: by resource and id, as the services list them. `events`: the tenant's, in the order of the log.
    `views`: by contact; None where there is none. `copies`: version and deletion by contact in a service's local copy.
    """

    entities: Mapping[str, Mapping[str, Json]]
    events: Sequence[Event]
    views: Mapping[str, Json | None]
    copies: Mapping[str, tuple[int, bool]]


def check(history: History, state: EndState) -> list[Anomaly]:
    """Every lost, duplicated, reordered, invented or cross-tenant effect."""
    return [
        *_services(history, state),
        *_log(history, state),
        *_views(state),
        *_copies(state),
    ]


def _services(history: History, state: EndState) -> Iterator[Anomaly]:
    created = {write.mark: write for write in history.writes if write.kind == "create"}
    deletions = [write for write in history.writes if write.kind == "delete"]
    for resource, member in MARKED.items():
        holders = Counter(str(entity[member]) for entity in state.entities[resource].values())
        yield from _holders(history.tenant_id, resource, holders, created)
    for write in created.values():
        missing = write.acknowledged and write.entity_id not in state.entities[write.resource]
        if missing and not any(deletion.entity_id == write.entity_id for deletion in deletions):
            yield Anomaly("lost", "the services", f"{write.entity_id} ({write.mark}) was acknowledged")
    for deletion in deletions:
        if deletion.acknowledged and deletion.entity_id in state.entities[deletion.resource]:
            yield Anomaly("lost", "the services", f"the deletion of {deletion.entity_id}")
    for write in history.writes:
        entity = state.entities[write.resource].get(str(write.entity_id))
        if write.acknowledged and write.version and entity is not None and entity["version"] < write.version:
            yield Anomaly("lost", "the services", f"{write.entity_id} is at {entity['version']}, not {write.version}")


def _holders(
    tenant_id: str, resource: str, holders: Mapping[str, int], created: Mapping[str, Write]
) -> Iterator[Anomaly]:
    for mark, number in holders.items():
        if not mark.startswith(tenant_id[-8:]):
            yield Anomaly("cross-tenant", "the services", f"{resource} hold {mark} of another tenant")
        elif mark not in created:
            yield Anomaly("invented", "the services", f"{resource} hold {mark}, which nobody wrote")
        elif number > 1:
            yield Anomaly("duplicated", "the services", f"{number} {resource} from the one write {mark}")


def _log(history: History, state: EndState) -> Iterator[Anomaly]:
    by_key: dict[str, list[Event]] = defaultdict(list)
    for event in state.events:
        if event.entity_type in _RESOURCES:
            by_key[event.subject].append(event)
    acknowledged: dict[str, list[Write]] = defaultdict(list)
    for write in history.writes:
        if write.acknowledged and write.version:
            acknowledged[str(write.entity_id)].append(write)
    deleted = {write.entity_id for write in history.writes if write.kind == "delete"}
    for key in {*by_key, *acknowledged}:
        events = by_key.get(key, [])
        yield from _order(key, events)
        resource = _RESOURCES[key.rpartition("_")[0]]
        yield from _content(key, resource, events, acknowledged.get(key, ()))
        entity = state.entities[resource].get(key)
        newest = max((event.sequence for event in events), default=0)
        if entity is None and key not in deleted and events:
            yield Anomaly("invented", "the log", f"events of {key}, which the service does not have")
        elif entity is not None and newest != entity["version"]:
            verdict: Verdict = "lost" if newest < entity["version"] else "invented"
            yield Anomaly(verdict, "the log", f"{key} is at {entity['version']}, its newest event at {newest}")


def _order(key: str, events: Iterable[Event]) -> Iterator[Anomaly]:
    """An event may come twice, since delivery is at least once; its first coming is what counts."""
    first = list(dict.fromkeys(event.sequence for event in events))
    if first != sorted(first):
        yield Anomaly("reordered", "the log", f"{key} came as {first}")
    if missing := set(range(1, max(first, default=0) + 1)) - set(first):
        yield Anomaly("lost", "the log", f"{key} has no event {sorted(missing)}")


def _content(key: str, resource: str, events: Sequence[Event], writes: Iterable[Write]) -> Iterator[Anomaly]:
    carried = {event.sequence: event.entity for event in events if event.entity is not None}
    for write in writes:
        entity = carried.get(write.version or 0)
        member = MARKED[resource] if write.kind == "create" else _NOTES[resource]
        if entity is None:
            yield Anomaly("lost", "the log", f"event {write.version} of {key} ({write.mark})")
        elif entity[member] != write.mark:
            yield Anomaly("lost", "the log", f"event {write.version} of {key} says {entity[member]}, not {write.mark}")


def _views(state: EndState) -> Iterator[Anomaly]:
    contacts = state.entities["contacts"]
    mine: dict[str, dict[str, set[str]]] = {
        resource: defaultdict(set) for resource in ("deals", "orders", "tickets", "activities")
    }
    for resource, owned in mine.items():
        for entity in state.entities[resource].values():
            if entity["contact_id"]:
                owned[entity["contact_id"]].add(entity["id"])
    for contact_id, view in state.views.items():
        contact = contacts.get(contact_id)
        if view is None or contact is None:
            if view is not None:
                yield Anomaly("lost", "the view", f"the deletion of {contact_id}")
            elif contact is not None:
                yield Anomaly("lost", "the view", f"{contact_id} has none")
            continue
        if digest_of(view["profile"]) != digest_of(contact):
            yield Anomaly("lost", "the view", f"{contact_id} shows version {view['profile']['version']}")
        yield from _sections(contact_id, view, {resource: owned[contact_id] for resource, owned in mine.items()})


def _sections(contact_id: str, view: Json, mine: Mapping[str, set[str]]) -> Iterator[Anomaly]:
    """Lists in a view are bounded: what is shown must be there, once; sums and counts tell of the rest."""
    shown = {
        "deals": [deal["id"] for deal in view["sales"]["open_deals"]],
        "orders": [order["id"] for order in view["sales"]["orders"]["recent"]],
        "tickets": [ticket["id"] for ticket in view["support"]["open_tickets"]],
    }
    for resource, ids in shown.items():
        if len(ids) != len(set(ids)):
            yield Anomaly("duplicated", "the view", f"{resource} of {contact_id}")
        if foreign := set(ids) - mine[resource]:
            yield Anomaly("invented", "the view", f"{contact_id} shows {sorted(foreign)}")
    counted = {
        "orders": view["sales"]["orders"]["count"],
        "tickets": sum(view["support"]["counts"].values()),
    }
    for resource, number in counted.items():
        if number != len(mine[resource]):
            verdict: Verdict = "lost" if number < len(mine[resource]) else "duplicated"
            yield Anomaly(verdict, "the view", f"{contact_id} counts {number} {resource} of {len(mine[resource])}")
    entries = [entry["id"] for entry in view["timeline"] if "id" in entry]
    if len(entries) != len(set(entries)):
        yield Anomaly("duplicated", "the view", f"timeline of {contact_id}")


def _copies(state: EndState) -> Iterator[Anomaly]:
    for contact_id, contact in state.entities["contacts"].items():
        version, deleted = state.copies.get(contact_id, (0, False))
        if (version, deleted) != (contact["version"], False):
            yield Anomaly("lost", "a local copy", f"{contact_id} at {version}, deleted {deleted}: {contact['version']}")
    for contact_id, (_, deleted) in state.copies.items():
        if not deleted and contact_id not in state.entities["contacts"]:
            yield Anomaly("invented", "a local copy", contact_id)
