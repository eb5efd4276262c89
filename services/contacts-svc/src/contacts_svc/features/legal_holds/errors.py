"""What can go wrong with legal holds besides their form."""

from crm_kit.errors import Conflict, Text


class HoldReleased(Conflict):
    """It was released before; place another one."""

    code = "legal_hold_released"
    title = Text("The legal hold has been released", "该法律保留已解除")
    advice = Text("Place another one where it is needed again.", "如仍需要，请重新设置。")
