"""Which fields of a contact can be filtered and sorted by."""

from typing import get_args

from crm_contracts.contacts import LifecycleStage
from crm_kit.conditions import Document, Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.resources import base_fields

from contacts_svc.features.accounts.fields import address_fields
from contacts_svc.features.contacts import rules
from contacts_svc.features.contacts.models import ContactRow

_c = columns(ContactRow)


def _external_keys(document: Document) -> list[str]:
    given = document.get("external_ids")
    return rules.external_keys(given) if isinstance(given, dict) else []


FIELDS = FieldSet(
    "Contact",
    [
        *base_fields(ContactRow),
        Field("first_name", FieldType.TEXT, _c.first_name, sortable=True),
        Field("last_name", FieldType.TEXT, _c.last_name, sortable=True),
        Field("full_name", FieldType.TEXT, _c.full_name, sortable=True),
        Field("email", FieldType.TEXT_LIST, _c.email_keys, value="emails.address", normalise=rules.email_key),
        Field("phone", FieldType.TEXT_LIST, _c.phone_numbers, value="phones.number", normalise=rules.phone_key),
        Field("wechat", FieldType.TEXT, _c.wechat),
        Field("title", FieldType.TEXT, _c.title),
        Field("account_id", FieldType.ID, _c.account_id),
        *address_fields(_c.address),
        Field("language", FieldType.TEXT, _c.language),
        Field("birthday", FieldType.DATE, _c.birthday, sortable=True),
        Field("source", FieldType.TEXT, _c.source),
        Field(
            "lifecycle_stage", FieldType.CHOICE, _c.lifecycle_stage, choices=get_args(LifecycleStage), nullable=False
        ),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("territory_id", FieldType.ID, _c.territory_id),
        Field("external_id", FieldType.TEXT_LIST, _c.external_keys, value=_external_keys, part_of="external_ids"),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
    ],
)
