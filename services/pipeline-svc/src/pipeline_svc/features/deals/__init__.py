"""Deals: what may be sold, moving through the stages of a pipeline."""

from crm_kit.manifest import Feature

from pipeline_svc.features.deals.router import router

FEATURE = Feature(router=router)
