from crm_testkit.toy_service.fixtures import log, parts, tenant_id, toy

__all__ = ["log", "parts", "tenant_id", "toy"]
