"""Legal holds: contacts that nothing erases or deletes while somebody may need what is known of them."""

from crm_kit.manifest import Feature

from contacts_svc.features.legal_holds.router import router

FEATURE = Feature(router=router)
