"""From the row to what others may see of it."""

from crm_contracts.campaigns import Template
from crm_contracts.registry import TEMPLATE
from crm_kit.outbox import EntityEvents

from campaigns_svc.features.templates.models import TemplateRow


def snapshot(row: TemplateRow) -> Template:
    return Template.model_validate(row)


TEMPLATE_EVENTS = EntityEvents(TEMPLATE, TemplateRow, snapshot)
