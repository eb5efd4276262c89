"""Invoices: what customers are asked to pay, until when; what is paid of them follows from their payments."""

from crm_kit.manifest import Feature

from pipeline_svc.features.invoices.router import router
from pipeline_svc.features.invoices.timers import timers

FEATURE = Feature(router=router, timers=timers)
