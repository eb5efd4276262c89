"""From the row to what clients may see of it. That something is told once more is no fact about a customer: it is not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.webhook_replays.models import WebhookReplayRow
from gateway.features.webhook_replays.schemas import ReplayStatus, WebhookReplay


def snapshot(row: WebhookReplayRow) -> WebhookReplay:
    start = row.start if row.start is not None else row.position
    return WebhookReplay.model_validate(
        {
            **row.model_dump(exclude={"start", "position", "until", "events", "done", "cancelled_at", "tenant_id"}),
            "status": _status(row),
            "looked_at": row.position - start,
            "to_look_at": row.until - start,
            "found": row.events,
        }
    )


def _status(row: WebhookReplayRow) -> ReplayStatus:
    if row.cancelled_at is not None:
        return "cancelled"
    return "succeeded" if row.done else "running"


UNPUBLISHED = EntityEvents(Topic("gateway", "webhook_replay", WebhookReplay, actions=()), WebhookReplayRow, snapshot)
