"""From the row to what others may see of it."""

from crm_contracts.registry import WEBHOOK_ENDPOINT
from crm_contracts.webhooks import WebhookEndpoint
from crm_kit.outbox import EntityEvents

from gateway.features.webhook_endpoints.models import WebhookEndpointRow


def snapshot(row: WebhookEndpointRow) -> WebhookEndpoint:
    return WebhookEndpoint.model_validate(row)


WEBHOOK_ENDPOINT_EVENTS = EntityEvents(WEBHOOK_ENDPOINT, WebhookEndpointRow, snapshot)
