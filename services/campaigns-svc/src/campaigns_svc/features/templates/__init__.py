"""Templates: what messages say, in a small, safe part of Jinja."""

from crm_kit.manifest import Feature

from campaigns_svc.features.templates.router import router

FEATURE = Feature(router=router)
