"""Every statement on allowed_origin."""

from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession
from sqlalchemy import select

from gateway.features.allowed_origins.models import AllowedOriginRow

_c = columns(AllowedOriginRow)


async def allowed(session: ReadSession) -> list[str]:
    """The tenant's own."""
    return list(await session.scalars(select(_c.origin)))


async def all_allowed(session: ReadSession) -> list[tuple[str, str]]:
    """Origin and tenant, of all tenants: for the system role, before a request's tenant is known."""
    return [(row.origin, row.tenant_id) for row in await session.execute(select(_c.origin, _c.tenant_id))]
