"""Unsubscribes: a customer's own withdrawal, through the signed link of a message."""

from crm_kit.manifest import Feature

from campaigns_svc.features.unsubscribes.router import router

FEATURE = Feature(router=router)
