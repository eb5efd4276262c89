"""What can be done with a tenant."""

from datetime import timedelta

from crm_contracts.ids import TenantId
from crm_kit.db.session import WriteSession
from crm_kit.errors import Forbidden, Text
from crm_kit.http.principal import Principal

from gateway.features.api_keys.schemas import EVERYTHING, ApiKeyWrite, CreatedApiKey, SupportStaff
from gateway.features.api_keys.usecases import issue_key
from gateway.features.roles.assignment import check_roles
from gateway.features.tenants.events import TENANT_EVENTS
from gateway.features.tenants.models import TenantEntityRow
from gateway.features.tenants.schemas import CreatedTenant, SupportSessionWrite, TenantWrite


async def create_tenant(session: WriteSession, data: TenantWrite, caller: Principal) -> CreatedTenant:
    """Turns the administrator's transaction to the new tenant, whose rows these are."""
    require_administrator(caller)
    row = TenantEntityRow(id=TenantId.new(), name=data.name, region=data.region)
    await session.use_tenant(row.id)
    tenant = await TENANT_EVENTS.created(session, row)
    key = await issue_key(session, ApiKeyWrite(name="First key", scopes=list(EVERYTHING)))
    return CreatedTenant(**tenant.model_dump(), api_key=key.key)


async def update_tenant(session: WriteSession, row: TenantEntityRow, data: TenantWrite, caller: Principal) -> None:
    require_administrator(caller)
    before = TENANT_EVENTS.snapshot(row)
    row.name, row.region = data.name, data.region
    await TENANT_EVENTS.updated(session, row, before)


async def open_support_session(session: WriteSession, data: SupportSessionWrite, caller: Principal) -> CreatedApiKey:
    """A key of the tenant to whom the transaction was turned, which sees it, and can end it. Raises ValidationFailed."""
    require_administrator(caller)
    await check_roles(session, data.roles)
    key = ApiKeyWrite(
        name=data.staff,
        scopes=["read", "write"],
        roles=data.roles,
        expires_at=await session.now() + timedelta(minutes=data.minutes),
    )
    return await issue_key(session, key, SupportStaff(staff=data.staff, reason=data.reason))


def require_administrator(caller: Principal) -> None:
    """Raises Forbidden for every tenant's key, whatever its scopes."""
    if caller.tenant_id is not None:
        raise Forbidden(
            Text(
                "Only the installation's admin key creates and changes tenants.",
                "仅安装的管理密钥可以创建和修改租户。",
            ),
            members={"missing_permission": "administrator"},
        )
