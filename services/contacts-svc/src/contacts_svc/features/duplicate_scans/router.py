"""Scans over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.duplicate_scans.resource import DUPLICATE_SCANS

router = resource_router(DUPLICATE_SCANS)
