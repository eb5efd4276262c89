"""Tag reasons: why a contact has its tags, and whom a rule would tag, as far as who asks may see it."""

from crm_kit.manifest import Feature

from contacts_svc.features.tag_reasons.router import router

FEATURE = Feature(router=router)
