"""Privacy requests: what is held of a person given out, erased, or locked away, in every service, with a receipt from each."""

from crm_kit.manifest import Feature

from contacts_svc.features.privacy_requests.consumers import RECEIPTS
from contacts_svc.features.privacy_requests.jobs import JOBS
from contacts_svc.features.privacy_requests.router import router
from contacts_svc.features.privacy_requests.timers import timers

FEATURE = Feature(router=router, consumers=(RECEIPTS,), timers=timers, jobs=JOBS)
