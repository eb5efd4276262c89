"""From the row to what others may see of it."""

from crm_contracts.registry import VALIDATION_RULE
from crm_contracts.validation_rules import ValidationRule
from crm_kit.outbox import EntityEvents

from contacts_svc.features.validating.models import ValidationRuleRow


def snapshot(row: ValidationRuleRow) -> ValidationRule:
    return ValidationRule.model_validate(row)


VALIDATION_RULE_EVENTS = EntityEvents(VALIDATION_RULE, ValidationRuleRow, snapshot)
