"""Custom fields as a resource."""

from typing import get_args

from crm_contracts.custom_fields import CustomFieldResource, CustomFieldType
from crm_contracts.sensitivity import SENSITIVITIES
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from contacts_svc.features.custom_fields import usecases
from contacts_svc.features.custom_fields.events import CUSTOM_FIELD_EVENTS
from contacts_svc.features.custom_fields.schemas import CustomFieldWrite
from contacts_svc.features.declaring.models import CustomFieldRow

_c = columns(CustomFieldRow)

CUSTOM_FIELDS = Resource(
    singular="custom_field",
    plural="custom-fields",
    label=Text("custom field", "自定义字段"),
    row=CustomFieldRow,
    write=CustomFieldWrite,
    events=CUSTOM_FIELD_EVENTS,
    fields=FieldSet(
        "CustomField",
        [
            *base_fields(CustomFieldRow),
            Field("resource", FieldType.CHOICE, _c.resource, choices=get_args(CustomFieldResource), nullable=False),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("type", FieldType.CHOICE, _c.type, choices=get_args(CustomFieldType), nullable=False),
            Field("required", FieldType.BOOLEAN, _c.required, nullable=False),
            Field("sensitivity", FieldType.CHOICE, _c.sensitivity, choices=SENSITIVITIES, nullable=False),
            Field("archived", FieldType.BOOLEAN, _c.archived, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.declare_custom_field,
    update=usecases.update_custom_field,
    delete=usecases.delete_custom_field,
)
