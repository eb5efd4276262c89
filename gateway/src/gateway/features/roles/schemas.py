"""What clients may write of a role."""

from typing import Annotated, Literal

from crm_contracts.sensitivity import Sensitivity
from crm_contracts.tenancy import Records, RoleGrant
from crm_contracts.types import Contract, Input, Name, Text
from crm_kit.conditions import Condition
from crm_kit.rights.grants import Access, Action
from pydantic import Field, StringConstraints

Resource = Literal[
    "*",
    "accounts",
    "activities",
    "audit-log",
    "bulk-changes",
    "campaigns",
    "claims",
    "consent-purposes",
    "consents",
    "contacts",
    "custom-fields",
    "customers",
    "date-occurrences",
    "date-reminders",
    "dead-letters",
    "deals",
    "duplicate-scans",
    "duplicates",
    "exports",
    "imports",
    "inbound-deliveries",
    "inbound-sources",
    "invoices",
    "jobs",
    "legal-holds",
    "lifecycle",
    "merges",
    "messages",
    "orders",
    "payments",
    "pipelines",
    "pools",
    "privacy-requests",
    "products",
    "relationships",
    "retention-rules",
    "roles",
    "segments",
    "sync-conflicts",
    "teams",
    "templates",
    "tenants",
    "territories",
    "tickets",
    "transfers",
    "users",
    "tag-rules",
    "validation-rules",
    "webhook-endpoints",
]
"""The resources that permissions name, and all of them together."""


class GrantWrite(Input):
    resources: Annotated[list[Resource], Field(min_length=1, max_length=50)]
    actions: Annotated[list[Action], Field(min_length=1, max_length=10)]
    records: Records = "own"
    fields: Annotated[
        dict[Sensitivity, Access],
        Field(description="What is shown of a record, and may be written, by sensitivity; what is left out is hidden"),
    ] = {"open": "write"}
    where: Annotated[
        Condition | None,
        Field(description="Only records of which this holds, as a search of each of the resources would find them"),
    ] = None


class RoleWrite(Input):
    name: Name
    description: Text | None = None
    admin: Annotated[bool, Field(strict=True, description="Manages users, teams, roles and keys")] = False
    grants: Annotated[list[GrantWrite], Field(max_length=100)] = []


RoleName = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[a-z0-9_]+$")]
RolesWrite = Annotated[
    list[RoleName],
    Field(max_length=50, description="Ready roles by name, others by id", examples=[["sales"]]),
]


class ReadyRole(Contract):
    """A role that every tenant has; copy its grants to make one of your own."""

    name: str
    description: str
    admin: bool
    grants: list[RoleGrant]
