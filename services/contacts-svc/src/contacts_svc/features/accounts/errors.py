"""What can go wrong with accounts besides their form."""

from crm_kit.errors import Conflict, Text


class AccountExternalIdTaken(Conflict):
    """Another account has this id in that system; `account_id` names it."""

    code = "account_external_id_taken"
    title = Text("Another account has this external id", "该外部标识已属于另一个客户公司")
