"""Customers: this service's facts for the customer view, asked for by the gateway alone."""

from crm_kit.manifest import Feature

from campaigns_svc.features.customers.router import router

FEATURE = Feature(router=router)
