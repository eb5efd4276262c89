"""What can go wrong with transfers besides their form."""

from crm_kit.errors import Conflict, Text


class TransferOver(Conflict):
    """It has ended: what was moved is moved."""

    code = "transfer_over"
    title = Text("The transfer has ended", "转移已结束")
