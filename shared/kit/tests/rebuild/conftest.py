from crm_testkit.effects import effects

__all__ = ["effects"]
