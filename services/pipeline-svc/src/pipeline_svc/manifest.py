"""START HERE: everything that pipeline-svc can do."""

from pathlib import Path

from crm_kit.manifest import Manifest

from pipeline_svc.base import METADATA
from pipeline_svc.features import customers, deals, invoices, orders, payments, pipelines, privacy, products
from pipeline_svc.features.deals.events import DEAL_EVENTS
from pipeline_svc.features.invoices.events import INVOICE_EVENTS
from pipeline_svc.features.orders.events import ORDER_EVENTS
from pipeline_svc.features.payments.events import PAYMENT_EVENTS
from pipeline_svc.features.pipelines.events import PIPELINE_EVENTS
from pipeline_svc.features.products.events import PRODUCT_EVENTS

MANIFEST = Manifest(
    name="pipeline",
    package="pipeline_svc",
    title="Relata pipeline",
    summary="Pipelines with their stages, deals, products, orders, invoices and payments",
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(
        pipelines.FEATURE,
        deals.FEATURE,
        products.FEATURE,
        orders.FEATURE,
        invoices.FEATURE,
        payments.FEATURE,
        customers.FEATURE,
        privacy.FEATURE,
    ),
    publishes=(PIPELINE_EVENTS, DEAL_EVENTS, PRODUCT_EVENTS, ORDER_EVENTS, INVOICE_EVENTS, PAYMENT_EVENTS),
)
