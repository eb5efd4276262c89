"""What can go wrong with tag rules besides their form."""

from crm_kit.errors import Conflict, Text


class TooManyTagRules(Conflict):
    """So many rules are active already as one contact can be held against."""

    code = "too_many_tag_rules"
    title = Text("Too many tag rules are active", "启用的标签规则过多")
    advice = Text(
        "Join rules of one tag by `any`, or deactivate those that are no longer needed.",
        "请用 `any` 合并同一标签的规则，或停用不再需要的规则。",
    )


class TagRulesInACircle(Conflict):
    """Its condition asks for a tag that, at the end of a chain of rules, hangs on the tag that it gives; `tag_rule_ids` is the chain."""

    code = "tag_rules_in_a_circle"
    title = Text("Tag rules depend on one another in a circle", "标签规则互相循环依赖")
    advice = Text(
        "Ask for something else than the tag in one of the rules, or deactivate one.",
        "请让其中一条规则不再使用该标签作条件，或停用其中一条。",
    )
