"""Every tenant is given its default pipeline."""

from collections.abc import Sequence

from crm_contracts.envelope import Event
from crm_contracts.registry import TENANT
from crm_contracts.tenancy import Tenant
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer

from pipeline_svc.features.pipelines.usecases import ensure_default_pipeline


async def give_default_pipelines(session: WriteSession, events: Sequence[Event]) -> None:
    """On any event of a tenant: the log may have been compacted to a later one than its creation."""
    newest = events[-1]
    if not newest.deleted and newest.entity is not None:
        await ensure_default_pipeline(session, Tenant.model_validate(newest.entity).region)


NEW_TENANTS = Consumer(name="pipeline.tenants", topics=(TENANT,), handle=give_default_pipelines)
