"""What can go wrong with preference links."""

from crm_kit.errors import NotFound, Text


class UnknownLink(NotFound):
    """Not one of our links, expired, or of a person of whom nothing is held any more: nobody is told which."""

    code = "unknown_link"
    title = Text("This link is not valid any more", "该链接已失效")
    advice = Text("Ask for a new one.", "请重新获取链接。")
