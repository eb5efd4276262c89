"""Users as a resource."""

from typing import get_args

from crm_contracts.tenancy import UserStatus
from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.users import usecases
from gateway.features.users.events import USER_EVENTS
from gateway.features.users.models import UserRow
from gateway.features.users.schemas import UserWrite

_c = columns(UserRow)

USERS = Resource(
    singular="user",
    plural="users",
    label=Text("user", "用户"),
    row=UserRow,
    write=UserWrite,
    events=USER_EVENTS,
    fields=FieldSet(
        "User",
        [
            *base_fields(UserRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("email", FieldType.TEXT, _c.email_key, nullable=False, normalise=str.casefold),
            Field("status", FieldType.CHOICE, _c.status, choices=get_args(UserStatus), nullable=False),
            Field("team", FieldType.TEXT_LIST, _c.team_ids, value="teams.team_id"),
            Field("role", FieldType.TEXT_LIST, _c.roles, value="roles"),
            Field("external_id", FieldType.TEXT, _c.external_id),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_user,
    update=usecases.update_user,
    delete=usecases.delete_user,
    match=usecases.MATCHERS,
    administered=frozenset({"write"}),
)
