"""From the row to what others may see of it."""

from crm_contracts.pipeline import Order
from crm_contracts.registry import ORDER
from crm_kit.outbox import EntityEvents

from pipeline_svc.features.orders.models import OrderRow


def snapshot(row: OrderRow) -> Order:
    return Order.model_validate(row)


ORDER_EVENTS = EntityEvents(ORDER, OrderRow, snapshot)
