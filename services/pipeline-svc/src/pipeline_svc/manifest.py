"""START HERE: everything that pipeline-svc can do."""

from pathlib import Path

from crm_kit.manifest import Manifest

from pipeline_svc.base import METADATA
from pipeline_svc.features import customers, deals, orders, pipelines, privacy
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.pipelines.events import PIPELINE_EVENTS

MANIFEST = Manifest(
    name="pipeline",
    package="pipeline_svc",
    title="Relata pipeline",
    summary="Pipelines with their stages, deals and orders",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(pipelines.FEATURE, deals.FEATURE, orders.FEATURE, customers.FEATURE, privacy.FEATURE),
    publishes=(PIPELINE_EVENTS, DEAL_EVENTS, ORDER_EVENTS),
)
