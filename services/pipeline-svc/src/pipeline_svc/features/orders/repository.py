"""By what orders are known."""

from pipeline_svc.features.orders.errors import OrderExternalIdTaken, OrderNumberTaken
from pipeline_svc.features.orders.models import OrderCounterRow, OrderRow
from pipeline_svc.sales.keys import SourceKey
from pipeline_svc.sales.numbers import NumberSeries

NUMBER = SourceKey(OrderRow, "number", "order.number", OrderNumberTaken, "order_id", "编号")
EXTERNAL_ID = SourceKey(OrderRow, "external_id", "order.external", OrderExternalIdTaken, "order_id", "外部标识")
NUMBERS = NumberSeries("O", NUMBER, OrderCounterRow)
