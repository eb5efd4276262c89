"""Invoices over HTTP."""

from crm_kit.resources import resource_router

from pipeline_svc.features.invoices.resource import INVOICES

router = resource_router(INVOICES)
