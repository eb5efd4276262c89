"""Tag rules: contacts have a tag while a condition holds of them and of their orders, deals and tickets."""

from crm_kit.manifest import Feature

from contacts_svc.features.tag_rules.consumers import FACTS
from contacts_svc.features.tag_rules.router import router
from contacts_svc.features.tag_rules.timers import timers

FEATURE = Feature(router=router, consumers=(FACTS,), timers=timers)
