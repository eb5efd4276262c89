"""Inbound sources: shops, ERPs and other systems whose webhooks are taken in, how each proves who it is, and what it means."""

from crm_kit.manifest import Feature

from gateway.features.inbound_sources.models import SEALED
from gateway.features.inbound_sources.router import router

FEATURE = Feature(router=router, sealed=(SEALED,))
