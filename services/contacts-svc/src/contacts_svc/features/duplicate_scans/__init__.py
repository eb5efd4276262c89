"""Scans for duplicates: all contacts of a tenant held against one another by a job, and merged where that is sure enough."""

from crm_kit.manifest import Feature

from contacts_svc.features.duplicate_scans.jobs import JOBS
from contacts_svc.features.duplicate_scans.router import router

FEATURE = Feature(router=router, jobs=JOBS)
