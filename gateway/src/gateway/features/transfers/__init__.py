"""Transfers: handing records over to another owner or team, many at a time."""

from crm_kit.manifest import Feature

from gateway.features.transfers.router import router
from gateway.features.transfers.timers import timers

FEATURE = Feature(router=router, timers=timers)
