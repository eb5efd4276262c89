"""Tag rules as a resource."""

from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.tag_rules import repository, usecases
from contacts_svc.features.tag_rules.events import TAG_RULE_EVENTS
from contacts_svc.features.tag_rules.schemas import TagRuleWrite
from contacts_svc.features.tagging.models import TagRuleRow

TAG_RULES = Resource(
    singular="tag_rule",
    plural="tag-rules",
    label=Text("tag rule", "标签规则"),
    row=TagRuleRow,
    write=TagRuleWrite,
    events=TAG_RULE_EVENTS,
    fields=repository.FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_rule,
    update=usecases.update_rule,
    delete=usecases.delete_rule,
)
