"""What keeps a contact from being taken away."""

from crm_kit.errors import Conflict, Text


class OnLegalHold(Conflict):
    """A legal hold stands on the contact, or on one that was merged into it; `legal_hold_ids` names it to who may read holds."""

    code = "on_legal_hold"
    title = Text("The contact is on legal hold", "该联系人处于法律保留状态")
    advice = Text("Wait for its end, or release it: see /v1/legal-holds.", "请等待其到期或先解除，见 /v1/legal-holds。")
