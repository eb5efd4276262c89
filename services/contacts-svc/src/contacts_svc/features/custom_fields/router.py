"""Custom fields over HTTP."""

from crm_kit.resources import resource_router

from contacts_svc.features.custom_fields.resource import CUSTOM_FIELDS

router = resource_router(CUSTOM_FIELDS)
