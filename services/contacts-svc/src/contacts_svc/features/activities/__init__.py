"""Activities: a log of communication, from any source."""

from crm_kit.manifest import Feature

from contacts_svc.features.activities.router import router

FEATURE = Feature(router=router)
