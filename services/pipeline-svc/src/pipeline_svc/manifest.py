"""START HERE: everything that pipeline-svc can do."""

from pathlib import Path

from crm_contracts.registry import DEAL, ORDER, PIPELINE
from crm_kit.manifest import Manifest

from pipeline_svc.base import METADATA
from pipeline_svc.features import customers, deals, orders, pipelines

MANIFEST = Manifest(
    name="pipeline",
    package="pipeline_svc",
    title="Relata pipeline",
    summary="Pipelines with their stages, deals and orders",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(pipelines.FEATURE, deals.FEATURE, orders.FEATURE, customers.FEATURE),
    publishes=(PIPELINE, DEAL, ORDER),
)
