"""What webhooks tell: every event of the tenants that have subscriptions, in one order."""

from crm_kit.manifest import Feature

from gateway.features.webhook_journal import models  # noqa: F401  # so that its tables are in the metadata
from gateway.features.webhook_journal.consumers import JOURNAL
from gateway.features.webhook_journal.forgetting import forget_old

FEATURE = Feature(consumers=(JOURNAL,), workers={"webhook-journal": forget_old})
