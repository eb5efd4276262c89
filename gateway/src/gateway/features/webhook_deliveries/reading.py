"""What an endpoint is told from a place on, whoever carries it there: one reading for push, pull and stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId
from crm_contracts.registry import RESTATED, Topic
from crm_kit.db.models import columns, utc_now
from crm_kit.db.session import ReadSession
from crm_kit.http.principal import Principal
from sqlalchemy import select

from gateway.documents.packaged import openapi
from gateway.features.roles.resources import resource_of
from gateway.features.webhook_endpoints.matching import Matcher, matcher_of
from gateway.features.webhook_endpoints.models import WebhookEndpointRow
from gateway.features.webhook_endpoints.rules import topics_meant
from gateway.features.webhook_journal import repository as journal
from gateway.features.webhook_journal.cursors import Place
from gateway.features.webhook_journal.rules import body_of, cloud_event
from gateway.proxy.table import packaged_table
from gateway.upstream import ServiceClient, UpstreamUnavailable

_SNAPSHOT_PAGE: Final = 100
_SNAPSHOT_SECONDS: Final = 10.0
_c = columns(WebhookEndpointRow)


@dataclass(frozen=True, slots=True)
class Told:
    """An event for the endpoint. `cursor`: behind it. `position`: in the journal, unless it is of the present state."""

    cursor: str
    position: int | None
    event_id: str
    type: str
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """`place`: behind what was looked at; `is_last`: there is nothing more at present. `lost`: events between the place that was
    asked for and the first that is kept are gone.
    """

    told: Sequence[Told]
    place: Place
    is_last: bool
    lost: bool = False


@dataclass(slots=True)
class Endpoint:
    """An endpoint as it is now; `matcher` is None where those in whose name it sees may see nothing any more."""

    row: WebhookEndpointRow
    matcher: Matcher | None
    at: datetime = field(default_factory=utc_now)


async def load(session: ReadSession, endpoint_id: str) -> Endpoint | None:
    """None where there is none."""
    row = await session.scalar(select(WebhookEndpointRow).where(_c.id == endpoint_id))
    return Endpoint(row, await matcher_of(session, row)) if row is not None else None


async def read_journal(session: ReadSession, matcher: Matcher, place: Place, limit: int) -> Page:
    """The next events of the journal that are meant, of so many that are looked at."""
    head = await journal.head(session)
    lost = place.position < head.forgotten
    entries = await journal.after(session, place.position, limit) if head.last > place.position else []
    meant = []
    for entry in entries:
        outcome = matcher.of(entry.type, entry.actor_id, entry.body)
        if outcome.body is not None:
            meant.append(
                Told(str(entry.position), entry.position, entry.event_id, entry.type, entry.subject, outcome.body)
            )
    reached = entries[-1].position if entries else max(place.position, head.last)
    return Page(meant, Place(reached), len(entries) < limit, lost)


async def read_snapshot(services: ServiceClient, principal: Principal, endpoint: Endpoint, place: Place) -> Page:
    """The next of the present state, as its services have it now; then the journal from where it began.

    Whatever is not in it was written after the snapshot's place in the journal, and comes by that. Raises UpstreamUnavailable.
    """
    resources = listed(endpoint.row.kinds)
    names = [*resources]
    at = names.index(place.resource) if place.resource in resources else 0
    if not names:
        return Page([], place.behind_snapshot(), False)
    topic = resources[names[at]]
    records, cursor = await _list(services, principal, names[at], place.page)
    if cursor is not None:
        behind = place.within(names[at], cursor)
    else:
        behind = place.within(names[at + 1], "") if at + 1 < len(names) else place.behind_snapshot()
    restated = _restated(topic, records, endpoint, principal)
    last = [Told(str(behind), None, *one) for one in restated[-1:]]
    return Page([*(Told(str(place), None, *one) for one in restated[:-1]), *last], behind, False)


def _restated(
    topic: Topic, records: Sequence[dict[str, Any]], endpoint: Endpoint, principal: Principal
) -> list[tuple[str, str, str, bytes]]:
    assert endpoint.matcher is not None, "the caller has looked"
    found: list[tuple[str, str, str, bytes]] = []
    for record in records:
        event = Event(
            id=EventId.new(),
            source=f"/relata/{topic.service}",
            type=topic.event_type(RESTATED),
            subject=record["id"],
            time=utc_now(),
            tenant_id=str(principal.tenant_id),
            sequence=record["version"],
            entity=record,
            data_schema=topic.data_schema(RESTATED),
        )
        outcome = endpoint.matcher.of(event.type, None, body_of(cloud_event(event)))
        if outcome.body is not None:
            found.append((event.id, event.type, event.subject, outcome.body))
    return found


def listed(kinds: Sequence[str]) -> Mapping[str, Topic]:
    """Of the entities that are meant those that a service lists, by resource: the present state is made of them."""
    paths = openapi()["paths"]
    services = packaged_table().services
    found: dict[str, Topic] = {}
    for topic in topics_meant(kinds):
        resource = resource_of(topic.entity)
        if services.get(resource) == topic.service and "get" in paths.get(f"/v1/{resource}", {}):
            found.setdefault(resource, topic)
    return found


async def _list(
    services: ServiceClient, principal: Principal, resource: str, cursor: str
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the resource, whoever is archived too; nothing of what may not be seen."""
    target = f"/v1/{resource}?sort=id&limit={_SNAPSHOT_PAGE}{_with_all(resource)}"
    if cursor:
        target += f"&cursor={cursor}"
    service = packaged_table().services[resource]
    answer = await services.call(principal, service, "GET", target, timeout=_SNAPSHOT_SECONDS)
    if answer.status_code == 403:
        return [], None
    if not answer.is_success:
        raise UpstreamUnavailable(service)
    page = orjson.loads(answer.content)
    return page["data"], page["next_cursor"]


def _with_all(resource: str) -> str:
    parameters = openapi()["paths"][f"/v1/{resource}"]["get"].get("parameters", ())
    named = [one["name"] for one in parameters if "include" in one.get("schema", {}).get("enum", ())]
    return f"&{named[0]}=include" if named else ""
