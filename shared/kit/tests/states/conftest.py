from crm_testkit.toy_service.fixtures import service

__all__ = ["service"]
