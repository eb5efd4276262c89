"""What can be done about deliveries: try, repeat, look how far an endpoint is, take events without one."""

from typing import Any

import orjson
from crm_contracts.envelope import Event
from crm_contracts.ids import EventId, WebhookDeliveryId, WebhookReplayId
from crm_kit.db.models import utc_now
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, NotFound, Text, ValidationFailed

from gateway.features.webhook_deliveries import reading, repository
from gateway.features.webhook_deliveries.events import UNPUBLISHED
from gateway.features.webhook_deliveries.repository import Delivery
from gateway.features.webhook_deliveries.resource import WEBHOOK_DELIVERIES
from gateway.features.webhook_deliveries.schemas import Replayed, WebhookDelivery
from gateway.features.webhook_endpoints import repository as endpoints
from gateway.features.webhook_endpoints.errors import NotPushed
from gateway.features.webhook_endpoints.events import snapshot
from gateway.features.webhook_endpoints.models import WebhookEndpointRow
from gateway.features.webhook_endpoints.schemas import Match, MatchCheck, MatchWrite, ReplayWrite, WebhookProgress
from gateway.features.webhook_journal import repository as journal
from gateway.features.webhook_journal.cursors import Place, begin_at
from gateway.features.webhook_journal.rules import body_of, cloud_event
from gateway.features.webhook_replays import repository as replays

_CHECKS = ("kinds", "skip_origins", "where", "rights")
_TEST = "crm.gateway.webhook_endpoint.test.v1"


async def progress_of(session: ReadSession, endpoint_id: str) -> WebhookProgress:
    standing = await repository.standing(session, endpoint_id)
    if standing is None:
        raise NotFound
    head = await journal.head(session)
    lost = standing.position < head.forgotten
    return WebhookProgress(
        cursor=str(Place(standing.position, standing.snapshot)),
        backlog=max(0, head.last - max(standing.position, head.forgotten)),
        waiting=await repository.count_waiting(session, endpoint_id),
        failures=standing.failures,
        failing_since=standing.failing_since,
        rest_until=standing.rest_until,
        last_success_at=standing.last_success_at,
        lost_until=str(head.forgotten) if lost else None,
    )


async def go_on_from(session: WriteSession, row: WebhookEndpointRow, after: str) -> None:
    """Raises InvalidEventCursor, CursorGone."""
    place = await begin_at(session, after)
    await endpoints.move(session, row.id, place.position, place.snapshot)


async def place_of(session: ReadSession, row: WebhookEndpointRow, after: str | None) -> Place:
    """What a client names, or where the endpoint stands. Raises InvalidEventCursor, CursorGone."""
    if after is not None:
        return await begin_at(session, after)
    standing = await repository.standing(session, row.id)
    assert standing is not None, "it is made and deleted with the endpoint"
    return Place(standing.position, standing.snapshot)


async def match_event(session: ReadSession, row: WebhookEndpointRow, data: MatchWrite) -> Match:
    """Raises ValidationFailed for what is no event, or none that is kept."""
    document = await _document(session, data)
    endpoint = await reading.load(session, row.id)
    if endpoint is None or endpoint.matcher is None:
        return Match(matches=False, checks=[MatchCheck(what="rights", holds=False)], body=None)
    outcome = endpoint.matcher.of_document(document)
    checks = [MatchCheck(what=what, holds=True) for what in _CHECKS]
    if outcome.failed is not None:
        at = _CHECKS.index(outcome.failed)
        checks = [*checks[:at], MatchCheck(what=_CHECKS[at], holds=False)]
    return Match(matches=outcome.failed is None, checks=checks, body=outcome.document)


async def _document(session: ReadSession, data: MatchWrite) -> dict[str, Any]:
    if data.event is not None:
        document = dict(data.event)
        kind, inner = document.get("type"), document.get("data")
        is_one = isinstance(kind, str) and kind.count(".") == 4 and isinstance(inner, dict)
        if not is_one or not isinstance(inner.get("entity"), dict | None):  # type: ignore[union-attr]  # is_one has looked
            text = Text("This is no CloudEvent of Relata's", "不是 Relata 的 CloudEvent")
            raise ValidationFailed(text, errors=[FieldError("/event", "no_event", text)])
        return document
    assert data.event_id is not None, "the schema wants one of both"
    entry = await journal.find(session, data.event_id)
    if entry is None:
        text = Text("No event of this id is kept", "未保留该标识的事件")
        raise ValidationFailed(text, errors=[FieldError("/event_id", "not_kept", text)])
    found: dict[str, Any] = orjson.loads(entry.body)
    return found


async def try_endpoint(session: WriteSession, row: WebhookEndpointRow) -> WebhookDelivery:
    """An event that tells of the endpoint itself is sent there next. Raises NotPushed."""
    if row.transport != "push" or row.status != "active":
        raise NotPushed
    now = utc_now()
    event = Event(
        id=EventId.new(),
        source="/relata/gateway",
        type=_TEST,
        subject=row.id,
        time=now,
        tenant_id=session.tenant_id,
        sequence=row.version,
        entity=snapshot(row).model_dump(mode="json"),
    )
    delivery = Delivery(
        id=WebhookDeliveryId.new(),
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        position=None,
        body=body_of(cloud_event(event)),
        replay_id=None,
        status="waiting",
        held=False,
        attempts=0,
        due_at=now,
        created_at=now,
    )
    await repository.store(session, row.id, [delivery])
    await endpoints.try_soon(session, row.id)
    return UNPUBLISHED.snapshot(await WEBHOOK_DELIVERIES.get(session, delivery.id))


async def replay(session: WriteSession, row: WebhookEndpointRow, data: ReplayWrite) -> Replayed:
    """Raises NotPushed, NotFound, InvalidEventCursor, CursorGone."""
    if row.transport != "push":
        raise NotPushed
    if data.delivery_ids:
        again = await repository.try_again(session, row.id, data.delivery_ids)
        if not again:
            raise NotFound
        await endpoints.try_soon(session, row.id)
        return Replayed(delivery_ids=again)
    head = await journal.head(session)
    if data.after is not None:
        position = (await begin_at(session, data.after)).position
    else:
        assert data.from_at is not None, "the schema wants one of them"
        position = max(head.forgotten, await journal.position_before(session, data.from_at))
    replay_id = WebhookReplayId.new()
    await replays.begin(
        session, row.id, replay_id, position=position, until=head.last, from_at=data.from_at, until_at=data.until_at,
        kinds=list(data.kinds), customer_id=data.customer_id,
    )  # fmt: skip
    return Replayed(replay_id=replay_id)
