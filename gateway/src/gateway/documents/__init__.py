"""The documents: OpenAPI, AsyncAPI, the pages that people read. All of it from this machine, nothing from elsewhere."""

from crm_kit.manifest import Feature

from gateway.documents.pages import ROUTES

FEATURE = Feature(routes=ROUTES)
