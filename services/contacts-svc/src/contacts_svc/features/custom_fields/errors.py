"""What can go wrong with declarations besides their form."""

from crm_kit.errors import Conflict, Text


class CustomFieldNameTaken(Conflict):
    """Another field of that resource has the name; `custom_field_id` names it."""

    code = "custom_field_name_taken"
    title = Text("Another custom field has this name", "该名称已被另一个自定义字段使用")


class CustomFieldInUse(Conflict):
    """Territories, validation rules, retention rules or tag rules speak of it in their conditions, or reminders of it; `territory_ids`,
    `validation_rule_ids`, `retention_rule_ids`, `tag_rule_ids` or `date_reminder_ids` names them.
    """

    code = "custom_field_in_use"
    title = Text("The custom field is in use", "自定义字段正被使用")
    advice = Text("Take it out of what names it, or archive it instead.", "请先从使用处移除该字段，或改为归档。")


class TooManyCustomFields(Conflict):
    """So many fields of one resource are declared already as a record can be held against."""

    code = "too_many_custom_fields"
    title = Text("Too many custom fields are declared", "自定义字段过多")
    advice = Text("Delete those that are no longer needed.", "请删除不再需要的字段。")
