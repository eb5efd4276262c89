"""Accounts as a resource."""

from typing import get_args

from crm_contracts.contacts import LifecycleStage
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields

from contacts_svc.features.accounts import usecases
from contacts_svc.features.accounts.events import ACCOUNT_EVENTS
from contacts_svc.features.accounts.models import ACCOUNT_OWNERSHIP, AccountRow
from contacts_svc.features.accounts.schemas import AccountWrite

_c = columns(AccountRow)

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
        Field(
            "lifecycle_stage", FieldType.CHOICE, _c.lifecycle_stage, choices=get_args(LifecycleStage), nullable=False
        ),
        Field("owner_id", FieldType.ID, _c.owner_id),
        Field("team_id", FieldType.ID, _c.team_id),
        Field("tag", FieldType.TEXT_LIST, _c.tags, value="tags"),
    ],
)

ACCOUNTS = Resource(
    singular="account",
    plural="accounts",
    label=Text("account", "客户公司"),
    row=AccountRow,
    write=AccountWrite,
    events=ACCOUNT_EVENTS,
    fields=FIELDS,
    ownership=ACCOUNT_OWNERSHIP,
    create=usecases.create_account,
    update=usecases.update_account,
    delete=usecases.delete_account,
    match={"domain": usecases.match_domain, "external_id": usecases.match_external_id},
)
