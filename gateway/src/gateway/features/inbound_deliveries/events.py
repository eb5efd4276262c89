"""From the row to what clients may see of it. A delivery is how facts come in, and none itself: it is not published."""

from crm_contracts.registry import Topic
from crm_kit.outbox import EntityEvents

from gateway.features.inbound_deliveries.models import InboundDeliveryRow
from gateway.features.inbound_deliveries.schemas import InboundDelivery


def snapshot(row: InboundDeliveryRow) -> InboundDelivery:
    return InboundDelivery.model_validate(row)


UNPUBLISHED = EntityEvents(
    Topic("gateway", "inbound_delivery", InboundDelivery, actions=()), InboundDeliveryRow, snapshot
)
