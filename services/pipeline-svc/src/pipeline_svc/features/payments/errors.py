"""What can go wrong with payments besides their form."""

from crm_kit.errors import Conflict, Text


class PaymentExternalIdTaken(Conflict):
    """Another payment of the same source has this external id; `payment_id` names it."""

    code = "payment_external_id_taken"
    title = Text("Another payment of this source has this external id", "该来源下已有相同外部标识的付款")
