"""Pipelines: the stages that deals go through. Every tenant has one that is the default."""

from crm_kit.manifest import Feature

from pipeline_svc.features.pipelines.consumers import NEW_TENANTS
from pipeline_svc.features.pipelines.router import router

FEATURE = Feature(router=router, consumers=(NEW_TENANTS,))
