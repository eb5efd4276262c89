"""What can go wrong with an unsubscribe link."""

from crm_kit.errors import NotFound, Text


class UnknownLink(NotFound):
    """The token is not one that this installation signed."""

    code = "unknown_link"
    title = Text("This link is not valid", "链接无效")
