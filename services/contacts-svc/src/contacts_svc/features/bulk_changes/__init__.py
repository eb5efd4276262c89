"""Bulk changes: what a condition finds, or a list names, is changed, tagged, archived or deleted by a job."""

from crm_kit.manifest import Feature

from contacts_svc.features.bulk_changes.jobs import JOBS
from contacts_svc.features.bulk_changes.router import router
from contacts_svc.features.bulk_changes.timers import timers

FEATURE = Feature(router=router, timers=timers, jobs=JOBS)
