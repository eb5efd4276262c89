"""The token endpoint of machine clients: OAuth 2.0 client credentials for an API key."""

from crm_kit.manifest import Feature

from gateway.features.oauth.router import ROUTES

FEATURE = Feature(routes=ROUTES)
"""Plain routes, in no OpenAPI document: their form is RFC 6749's, and RFC 8414's metadata tells where they are."""
