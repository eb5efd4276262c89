"""Validation rules as a resource."""

from crm_kit.errors import Text
from crm_kit.resources import Resource
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.validating.models import ValidationRuleRow
from contacts_svc.features.validation_rules import repository, usecases
from contacts_svc.features.validation_rules.events import VALIDATION_RULE_EVENTS
from contacts_svc.features.validation_rules.schemas import ValidationRuleWrite

VALIDATION_RULES = Resource(
    singular="validation_rule",
    plural="validation-rules",
    label=Text("validation rule", "校验规则"),
    row=ValidationRuleRow,
    write=ValidationRuleWrite,
    events=VALIDATION_RULE_EVENTS,
    fields=repository.FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_rule,
    update=usecases.update_rule,
    delete=usecases.delete_rule,
)
