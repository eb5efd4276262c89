"""What can go wrong with purposes besides their form."""

from crm_kit.errors import Conflict, Text


class PurposeTaken(Conflict):
    """There is one of this name already."""

    code = "purpose_taken"
    title = Text("There is such a purpose already", "该用途已存在")
    advice = Text("Change the one that consent_purpose_id names.", "请修改 consent_purpose_id 所示的用途。")
