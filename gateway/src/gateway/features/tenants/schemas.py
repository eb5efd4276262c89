"""What the administrator writes of a tenant, and the answer to its creation."""

from typing import Annotated

from crm_contracts.tenancy import Region, Tenant
from crm_contracts.types import Input, Name
from pydantic import Field

from gateway.features.roles.schemas import RolesWrite


class TenantWrite(Input):
    name: Name
    region: Annotated[Region, Field(description="Where phone numbers without country code are at home")]


class SupportSessionWrite(Input):
    staff: Annotated[Name, Field(description="Who of the installation's staff, as the tenant will read it")]
    reason: Annotated[Name, Field(description="What for, as the tenant will read it", examples=["Ticket 4711"])]
    minutes: Annotated[int, Field(strict=True, ge=1, le=480)] = 60
    roles: Annotated[RolesWrite, Field(min_length=1, description="Of the tenant: what it lets them see and do")] = [
        "auditor"
    ]


class CreatedTenant(Tenant):
    """A tenant with its first API key: shown once."""

    api_key: Annotated[str, Field(description="Has every scope. Keep it: it is not shown again")]
