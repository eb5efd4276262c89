"""What can go wrong with validation rules besides their form."""

from crm_kit.errors import Conflict, Text


class TooManyValidationRules(Conflict):
    """So many rules of one resource are active already as one record can be held against."""

    code = "too_many_validation_rules"
    title = Text("Too many validation rules are active", "启用的校验规则过多")
    advice = Text("Deactivate those that are no longer needed.", "请停用不再需要的规则。")
