"""What can go wrong with campaigns besides their form."""

from crm_kit.errors import Conflict, Text


class NotInThisState(Conflict):
    """The campaign's status does not allow the action; `campaign_status` names it."""

    code = "campaign_state"
    title = Text("The campaign's status does not allow this", "营销活动当前状态不允许此操作")
