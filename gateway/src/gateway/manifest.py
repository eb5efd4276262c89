"""START HERE: everything that the gateway can do."""

from pathlib import Path
from typing import cast

from crm_kit.http.origin import seen_from
from crm_kit.manifest import Feature, Manifest

from gateway import documents, proxy
from gateway.access.browsers import BrowserMiddleware
from gateway.base import METADATA
from gateway.composition import access_lifespan
from gateway.features import (
    access_check,
    allowed_origins,
    api_keys,
    audit_log,
    customers,
    dead_letters,
    development_issuer,
    identity_providers,
    inbound_backfills,
    inbound_deliveries,
    inbound_sources,
    jobs,
    moved_references,
    oauth,
    privacy,
    reconcile,
    roles,
    scim,
    sync_conflicts,
    teams,
    tenants,
    transfers,
    users,
    webhook_deliveries,
    webhook_endpoints,
    webhook_journal,
    webhook_replays,
)
from gateway.features.customers import models as _customer_tables  # noqa: F401  # its statements are plain SQL: nothing else imports the tables
from gateway.features.identity_providers.events import IDENTITY_PROVIDER_EVENTS
from gateway.features.inbound_sources import sealed_secrets as inbound_secrets
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.rate_limits import models as _bucket_tables  # noqa: F401  # as above
from gateway.features.roles.events import ROLE_EVENTS
from gateway.features.sync_conflicts.events import SYNC_CONFLICT_EVENTS
from gateway.features.teams.events import TEAM_EVENTS
from gateway.features.tenants.events import TENANT_EVENTS
from gateway.features.users.events import USER_EVENTS
from gateway.features.webhook_endpoints import usecases as webhook_secrets
from gateway.features.webhook_endpoints.events import WEBHOOK_ENDPOINT_EVENTS
from gateway.proxy.table import packaged_table
from gateway.settings import GatewaySettings

MANIFEST = Manifest(
    name="gateway",
    package="gateway",
    title="Relata gateway",
    summary="Access, customers, dead letters, audit log, documents",
    settings=GatewaySettings,
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(
        Feature(lifespan=access_lifespan, middleware=BrowserMiddleware),
        customers.FEATURE,  # before the others: routes are tried in order, and this is the hot one
        tenants.FEATURE,
        api_keys.FEATURE,
        allowed_origins.FEATURE,
        roles.FEATURE,
        teams.FEATURE,
        users.FEATURE,
        identity_providers.FEATURE,
        oauth.FEATURE,
        development_issuer.FEATURE,
        scim.FEATURE,
        transfers.FEATURE,
        inbound_sources.FEATURE,
        inbound_backfills.FEATURE,
        inbound_deliveries.FEATURE,
        sync_conflicts.FEATURE,
        webhook_endpoints.FEATURE,
        webhook_deliveries.FEATURE,
        webhook_journal.FEATURE,
        webhook_replays.FEATURE,
        access_check.FEATURE,
        dead_letters.FEATURE,
        jobs.FEATURE,
        moved_references.FEATURE,
        privacy.FEATURE,
        audit_log.FEATURE,
        reconcile.FEATURE,
        documents.FEATURE,
        proxy.proxy_to(packaged_table),
    ),
    publishes=(
        TENANT_EVENTS,
        TEAM_EVENTS,
        USER_EVENTS,
        ROLE_EVENTS,
        IDENTITY_PROVIDER_EVENTS,
        INBOUND_SOURCE_EVENTS,
        SYNC_CONFLICT_EVENTS,
        WEBHOOK_ENDPOINT_EVENTS,
    ),
    commands=(reconcile.COMMAND,),
    sealed=(*webhook_secrets.SEALED, *inbound_secrets.SEALED),
    system_tables={
        "allowed_origin": "a browser's preflight carries no credential that would tell its tenant",
        "api_key": "a key is looked up before anything is known of its tenant",
        "identity_provider": "a token tells its issuer and audience, and by them its tenant",
        "identity_provider_audience": "as identity_provider",
        "inbound_delivery": "the worker asks which sources of which tenants have something due",
        "inbound_source": "a delivery tells its tenant by the source that its address names",
        "job": "jobs that have not ended are counted, by kind",
        "rate_bucket": "each process settles the quotas of all tenants at once",
        "search_filling": "the worker that makes customers from before searchable asks which tenants have any",
        "stale_customer": "the worker that composes views late asks which tenants have any",
        "webhook_delivery": "what has been kept for long enough is forgotten for all tenants",
        "webhook_event": "as webhook_delivery",
        "webhook_journal": "the worker that sends webhooks asks for whom there is something new",
        "webhook_progress": "as webhook_journal",
        "tenant": "the look-up of a key answers its tenant's region too",
    },
    # Its statements about customers are index look-ups by construction, and large: to plan one takes longer than to run
    # it. A plan made while the tables were empty must not stay a sequential scan when they have grown.
    database_settings={"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"},
    serves_openapi=False,
    origin=lambda settings: seen_from(cast("GatewaySettings", settings).trusted_proxy_hops),
)
