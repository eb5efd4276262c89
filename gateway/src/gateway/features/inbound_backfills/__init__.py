"""Backfills of inbound sources: what a shop has is asked for page by page, and taken in as if it had been sent."""

from crm_kit.manifest import Feature

from gateway.features.inbound_backfills.jobs import JOBS
from gateway.features.inbound_backfills.router import router
from gateway.features.inbound_backfills.timers import timers

FEATURE = Feature(router=router, jobs=JOBS, timers=timers)
