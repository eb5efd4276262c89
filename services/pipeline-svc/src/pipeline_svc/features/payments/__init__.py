"""Payments: money that came in and went back, which pays invoices."""

from crm_kit.manifest import Feature

from pipeline_svc.features.payments.router import router

FEATURE = Feature(router=router)
