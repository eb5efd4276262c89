"""From the row to what clients may see of it. That an event was told is no event itself: it is not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.webhook_deliveries.models import WebhookDeliveryRow
from gateway.features.webhook_deliveries.schemas import WebhookDelivery


def snapshot(row: WebhookDeliveryRow) -> WebhookDelivery:
    known = row.model_dump(exclude={"tenant_id", "position", "body", "due_at", "type"})
    return WebhookDelivery.model_validate({**known, "kind": row.type, "next_attempt_at": row.due_at})


UNPUBLISHED = EntityEvents(
    Topic("gateway", "webhook_delivery", WebhookDelivery, actions=()), WebhookDeliveryRow, snapshot
)
