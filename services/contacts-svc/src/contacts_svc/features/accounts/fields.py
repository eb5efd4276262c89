"""Which fields of an account can be filtered and sorted by."""

from typing import Any, get_args

from crm_contracts.contacts import LifecycleStage
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.resources import base_fields

from contacts_svc.features.accounts.models import AccountRow

_c = columns(AccountRow)


def address_fields(address: Any) -> list[Field]:
    """Of a column that holds an address."""
    parts = ("country", "region", "city", "district", "postal_code")
    return [Field(f"address.{part}", FieldType.TEXT, address[part].astext) for part in parts]


FIELDS = FieldSet(
    "Account",
    [
        *base_fields(AccountRow),
        Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
        Field("domain", FieldType.TEXT, _c.domain),
        Field("industry", FieldType.TEXT, _c.industry),
        Field("size", FieldType.INTEGER, _c.size, sortable=True),
        Field("parent_id", FieldType.ID, _c.parent_id),
        Field("phone", FieldType.TEXT, _c.phone),
        *address_fields(_c.address),
        Field(
            "lifecycle_stage", FieldType.CHOICE, _c.lifecycle_stage, choices=get_args(LifecycleStage), nullable=False
        ),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("territory_id", FieldType.ID, _c.territory_id),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
    ],
)
