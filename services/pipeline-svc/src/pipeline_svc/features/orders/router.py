"""Orders over HTTP."""

from crm_kit.resources import resource_router

from pipeline_svc.features.orders.resource import ORDERS

router = resource_router(ORDERS)
