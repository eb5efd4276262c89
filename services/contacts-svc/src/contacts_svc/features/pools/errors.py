"""What can go wrong with pools besides their form."""

from crm_kit.errors import Conflict, Text


class PoolInUse(Conflict):
    """Contacts are of it."""

    code = "pool_in_use"
    title = Text("Contacts are of this pool", "仍有联系人属于该公海")
    advice = Text(
        "Give them another pool_id, or null: POST /v1/contacts/search finds them.",
        "请先更改这些联系人的 pool_id：可用 POST /v1/contacts/search 查找。",
    )
