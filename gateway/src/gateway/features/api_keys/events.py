"""From the row to what clients may see of it.

Keys are the gateway's own affair: they are no facts for other services, so their topic is in no registry and nothing
is published on it; the audit log tells of them.
"""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.api_keys.schemas import ApiKey


def snapshot(row: ApiKeyRow) -> ApiKey:
    return ApiKey.model_validate(row)


UNPUBLISHED = EntityEvents(Topic("gateway", "api_key", ApiKey, actions=()), ApiKeyRow, snapshot)
