"""Products over HTTP."""

from crm_kit.resources import resource_router

from pipeline_svc.features.products.resource import PRODUCTS

router = resource_router(PRODUCTS)
