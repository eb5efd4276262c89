"""Payments over HTTP."""

from crm_kit.resources import resource_router

from pipeline_svc.features.payments.resource import PAYMENTS

router = resource_router(PAYMENTS)
