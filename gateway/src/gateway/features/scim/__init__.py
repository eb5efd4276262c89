"""SCIM 2.0 (RFC 7643, 7644): identity providers keep a tenant's users and teams.

A thin shape over the features `users` and `teams`: their use cases write, so that rules, rights and events are the same.
"""

from crm_kit.manifest import Feature

from gateway.features.scim.errors import ScimErrors
from gateway.features.scim.router import router

FEATURE = Feature(router=router, middleware=ScimErrors)
