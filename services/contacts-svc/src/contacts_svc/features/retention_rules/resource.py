"""Retention rules as a resource."""

from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.retaining.events import RETENTION_RULE_EVENTS
from contacts_svc.features.retaining.models import RetentionRuleRow
from contacts_svc.features.retention_rules import repository, usecases
from contacts_svc.features.retention_rules.schemas import RetentionRuleWrite

RETENTION_RULES = Resource(
    singular="retention_rule",
    plural="retention-rules",
    label=Text("retention rule", "保留期限规则"),
    row=RetentionRuleRow,
    write=RetentionRuleWrite,
    events=RETENTION_RULE_EVENTS,
    fields=repository.FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_rule,
    update=usecases.update_rule,
    delete=usecases.delete_rule,
)
