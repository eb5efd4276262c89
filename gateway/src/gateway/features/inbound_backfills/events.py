"""From the row to what clients may see of it. A run is work, not a fact about customers, and not published."""

from typing import cast

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.inbound_backfills.errors import problem_of
from gateway.features.inbound_backfills.models import InboundBackfillRow
from gateway.features.inbound_backfills.rules import Place
from gateway.features.inbound_backfills.schemas import InboundBackfill, ResourceProgress


def snapshot(row: InboundBackfillRow) -> InboundBackfill:
    places = [Place.model_validate(each) for each in row.places]
    told = {
        **row.model_dump(),
        "resources": [ResourceProgress.model_validate(one, from_attributes=True) for one in places],
        "error": problem_of(cast("dict[str, object]", row.error)).code if row.error is not None else None,
    }
    return InboundBackfill.model_validate(told)


UNPUBLISHED = EntityEvents(
    Topic("gateway", "inbound_backfill", InboundBackfill, actions=()), InboundBackfillRow, snapshot
)
