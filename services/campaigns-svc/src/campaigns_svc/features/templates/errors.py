"""What can go wrong with templates besides their form."""

from crm_kit.errors import Text, ValidationFailed


class InvalidTemplate(ValidationFailed):
    """A source breaks the rules of templates; each error names its line."""

    code = "invalid_template"
    title = Text("The template is not valid", "模板无效")
