"""What can go wrong with duplicates."""

from crm_kit.errors import Conflict, Text


class DuplicateContacts(Conflict):
    """There are contacts that are probably the one that was to be created; `candidates` names them, the likeliest first."""

    code = "duplicate_contacts"
    title = Text("This is probably a contact that you have already", "该联系人很可能已存在")
    advice = Text(
        "Read the candidates. Use one of them, or send the request again without duplicates=refuse to create another contact.",
        "请查看 candidates：使用其中之一，或去掉 duplicates=refuse 后重新提交以另建联系人。",
    )
