"""What can go wrong with retention rules besides their form."""

from crm_kit.errors import Conflict, Text


class TooManyRetentionRules(Conflict):
    """As many are there as a tenant may have."""

    code = "too_many_retention_rules"
    title = Text("There are too many retention rules", "保留期限规则过多")
    advice = Text("Delete those that are no longer needed.", "请删除不再需要的规则。")
