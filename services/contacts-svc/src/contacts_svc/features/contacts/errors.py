"""What can go wrong with contacts besides their form."""

from crm_kit.errors import Conflict, Text


class ExternalIdTaken(Conflict):
    """Another contact has this id in that system; `contact_id` names it."""

    code = "external_id_taken"
    title = Text("Another contact has this external id", "该外部标识已属于另一个联系人")
