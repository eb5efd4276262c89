"""Pipelines over HTTP."""

from crm_kit.resources import resource_router

from pipeline_svc.features.pipelines.resource import PIPELINES

router = resource_router(PIPELINES)
