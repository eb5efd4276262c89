"""What the administrator writes of a tenant, and the answer to its creation."""

from typing import Annotated

from crm_contracts.tenancy import Region, Tenant
from crm_contracts.types import Input, Name
from pydantic import Field


class TenantWrite(Input):
    name: Name
    region: Annotated[Region, Field(description="Where phone numbers without country code are at home")]


class CreatedTenant(Tenant):
    """A tenant with its first API key: shown once."""

    api_key: Annotated[str, Field(description="Has every scope. Keep it: it is not shown again")]
