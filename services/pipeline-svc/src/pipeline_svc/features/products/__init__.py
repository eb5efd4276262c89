"""Products: what is sold, mostly told by shops and ERP systems."""

from crm_kit.manifest import Feature

from pipeline_svc.features.products.router import router

FEATURE = Feature(router=router)
