"""Segments: named sets of contacts, kept by hand."""

from crm_kit.manifest import Feature

from campaigns_svc.features.segments.router import router
from campaigns_svc.features.segments.timers import timers

FEATURE = Feature(router=router, timers=timers)
