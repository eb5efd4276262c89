"""Roles as a resource."""

from crm_kit.conditions import Field, FieldSet, FieldType
from crm_kit.db.models import columns
from crm_kit.errors import Text
from crm_kit.resources import Resource, base_fields
from crm_kit.rights import TENANT_WIDE

from gateway.features.roles import usecases
from gateway.features.roles.events import ROLE_EVENTS
from gateway.features.roles.models import RoleRow
from gateway.features.roles.schemas import RoleWrite

_c = columns(RoleRow)

ROLES = Resource(
    singular="role",
    plural="roles",
    label=Text("role", "角色"),
    row=RoleRow,
    write=RoleWrite,
    events=ROLE_EVENTS,
    fields=FieldSet(
        "Role",
        [
            *base_fields(RoleRow),
            Field("name", FieldType.TEXT, _c.name, sortable=True, nullable=False),
            Field("admin", FieldType.BOOLEAN, _c.admin, nullable=False),
        ],
    ),
    ownership=TENANT_WIDE,
    create=usecases.create_role,
    update=usecases.update_role,
    delete=usecases.delete_role,
    administered=frozenset({"write"}),
)
