"""Webhook deliveries: what was told to whom, attempt by attempt; telling it, by push, by pull and as a stream."""

from crm_kit.manifest import Feature

from gateway.features.webhook_deliveries import models  # noqa: F401  # so that its tables are in the metadata
from gateway.features.webhook_deliveries.check import look_at_webhooks
from gateway.features.webhook_deliveries.dispatcher import deliver
from gateway.features.webhook_deliveries.gauge import measure_webhooks
from gateway.features.webhook_deliveries.router import router

FEATURE = Feature(
    router=router, workers={"webhooks": deliver}, measures=(measure_webhooks,), checks=(look_at_webhooks,)
)
