"""Templates as a resource."""

from typing import get_args

from crm_contracts.contacts import Channel
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from campaigns_svc.features.templates import usecases
from campaigns_svc.features.templates.events import TEMPLATE_EVENTS
from campaigns_svc.features.templates.models import TemplateRow
from campaigns_svc.features.templates.schemas import TemplateWrite

_c = columns(TemplateRow)

FIELDS = FieldSet(
    "Template",
    [
        *base_fields(TemplateRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("channel", FieldType.CHOICE, _c.channel, choices=get_args(Channel), nullable=False),
        Field("language", FieldType.TEXT, _c.language),
    ],
)

TEMPLATES = Resource(
    singular="template",
    plural="templates",
    label=Text("template", "模板"),
    row=TemplateRow,
    write=TemplateWrite,
    events=TEMPLATE_EVENTS,
    fields=FIELDS,
    ownership=TENANT_WIDE,
    create=usecases.create_template,
    update=usecases.update_template,
    delete=usecases.delete_template,
)
