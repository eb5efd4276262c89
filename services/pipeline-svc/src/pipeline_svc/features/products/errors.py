"""What can go wrong with products besides their form."""

from crm_kit.errors import Conflict, Text


class ProductExternalIdTaken(Conflict):
    """Another product of the same source has this external id; `product_id` names it."""

    code = "product_external_id_taken"
    title = Text("Another product of this source has this external id", "该来源下已有相同外部标识的产品")
