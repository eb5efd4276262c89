from crm_testkit.toy_service.fixtures import toy

__all__ = ["toy"]
