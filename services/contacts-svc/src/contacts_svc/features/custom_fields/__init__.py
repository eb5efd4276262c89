"""Custom fields: what tenants declare of the values under `custom`."""

from crm_kit.manifest import Feature

from contacts_svc.features.custom_fields.router import router

FEATURE = Feature(router=router)
