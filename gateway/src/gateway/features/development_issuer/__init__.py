"""An OpenID Connect issuer for trying things out: it signs whatever it is asked for, and is there in development alone."""

from crm_kit.manifest import Feature

from gateway.features.development_issuer.router import ROUTES, issuer_lifespan

FEATURE = Feature(routes=ROUTES, lifespan=issuer_lifespan)
