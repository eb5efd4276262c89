"""Tickets: what somebody asks of us, with a number, a status and the messages about it."""

from crm_kit.manifest import Feature

from tickets_svc.features.tickets.router import router

FEATURE = Feature(router=router)
