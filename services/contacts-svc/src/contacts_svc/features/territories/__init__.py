"""Territories: conditions that assign contacts and accounts to teams."""

from crm_kit.manifest import Feature

from contacts_svc.features.territories.router import router
from contacts_svc.features.territories.timers import timers

FEATURE = Feature(router=router, timers=timers)
