"""Imports: files of contacts and accounts, taken in by a job, and back again."""

from crm_kit.manifest import Feature

from contacts_svc.features.imports.jobs import JOBS
from contacts_svc.features.imports.router import router
from contacts_svc.features.imports.timers import timers

FEATURE = Feature(router=router, timers=timers, jobs=JOBS)
