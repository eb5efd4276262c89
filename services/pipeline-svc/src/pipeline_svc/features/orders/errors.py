"""What can go wrong with orders besides their form."""

from crm_kit.errors import Conflict, Text


class OrderNumberTaken(Conflict):
    """Another order of the same source has this number; `order_id` names it."""

    code = "order_number_taken"
    title = Text("Another order of this source has this number", "该来源下已有相同编号的订单")


class OrderExternalIdTaken(Conflict):
    """Another order of the same source has this external id; `order_id` names it."""

    code = "order_external_id_taken"
    title = Text("Another order of this source has this external id", "该来源下已有相同外部标识的订单")
