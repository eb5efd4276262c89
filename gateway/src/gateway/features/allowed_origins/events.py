"""From the row to what clients may see of it. Like keys, origins are the gateway's own affair and not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.allowed_origins.models import AllowedOriginRow
from gateway.features.allowed_origins.schemas import AllowedOrigin


def snapshot(row: AllowedOriginRow) -> AllowedOrigin:
    return AllowedOrigin.model_validate(row)


UNPUBLISHED = EntityEvents(Topic("gateway", "allowed_origin", AllowedOrigin, actions=()), AllowedOriginRow, snapshot)
