"""From the row to what others may see of it."""

from crm_contracts.registry import TAG_RULE
from crm_contracts.tag_rules import TagRule
from crm_kit.outbox import EntityEvents

from contacts_svc.features.tagging.models import TagRuleRow


def snapshot(row: TagRuleRow) -> TagRule:
    return TagRule.model_validate(row)


TAG_RULE_EVENTS = EntityEvents(TAG_RULE, TagRuleRow, snapshot)
