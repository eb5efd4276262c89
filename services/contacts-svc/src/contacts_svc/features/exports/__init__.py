"""Exports: files of contacts, accounts and activities, written by a job, of what who asked may see."""

from crm_kit.manifest import Feature

from contacts_svc.features.exports.jobs import JOBS
from contacts_svc.features.exports.router import router
from contacts_svc.features.exports.timers import timers

FEATURE = Feature(router=router, timers=timers, jobs=JOBS)
