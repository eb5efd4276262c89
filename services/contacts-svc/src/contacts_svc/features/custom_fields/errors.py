"""What can go wrong with declarations besides their form."""

from crm_kit.errors import Conflict, Text


class CustomFieldNameTaken(Conflict):
    """Another field of that resource has the name; `custom_field_id` names it."""

    code = "custom_field_name_taken"
    title = Text("Another custom field has this name", "该名称已被另一个自定义字段使用")


class CustomFieldInUse(Conflict):
    """Territories or validation rules speak of it in their conditions; `territory_ids` or `validation_rule_ids` names them."""

    code = "custom_field_in_use"
    title = Text("The custom field is used by conditions", "自定义字段正被条件使用")
    advice = Text(
        "Take it out of the conditions of these territories and rules, or archive it instead.",
        "请先从这些区域和规则的条件中移除该字段，或改为归档。",
    )


class TooManyCustomFields(Conflict):
    """So many fields of one resource are declared already as a record can be held against."""

    code = "too_many_custom_fields"
    title = Text("Too many custom fields are declared", "自定义字段过多")
    advice = Text("Delete those that are no longer needed.", "请删除不再需要的字段。")
