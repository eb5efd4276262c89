"""Users: the people who work with a tenant's customers."""

from crm_kit.manifest import Feature
from crm_kit.rights.copies import follow_owners

from gateway.features.users.router import router

FEATURE = Feature(router=router, consumers=(follow_owners("gateway", {}),))
