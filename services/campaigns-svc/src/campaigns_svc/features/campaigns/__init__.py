"""Campaigns: one message to everybody in a segment, once, at a time."""

from crm_kit.manifest import Feature

from campaigns_svc.features.campaigns.router import router
from campaigns_svc.features.campaigns.timers import timers

FEATURE = Feature(router=router, timers=timers)
