"""What can go wrong with territories besides their form."""

from crm_kit.errors import Conflict, Text


class TooManyTerritories(Conflict):
    """So many territories of one resource are active already as one record can be held against."""

    code = "too_many_territories"
    title = Text("Too many territories are active", "启用的区域过多")
    advice = Text(
        "Join territories of one team by `any`, or deactivate those that are no longer needed.",
        "请用 `any` 合并同一团队的区域，或停用不再需要的区域。",
    )
