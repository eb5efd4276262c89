"""From the row to what others may see of it."""

from crm_contracts.registry import RETENTION_RULE
from crm_contracts.retention import RetentionRule
from crm_kit.outbox import EntityEvents

from contacts_svc.features.retaining.models import RetentionRuleRow


def snapshot(row: RetentionRuleRow) -> RetentionRule:
    return RetentionRule.model_validate(row)


RETENTION_RULE_EVENTS = EntityEvents(RETENTION_RULE, RetentionRuleRow, snapshot)
