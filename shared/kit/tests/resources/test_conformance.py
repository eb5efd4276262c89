"""The suite that every service inherits, on a service without any CRM noun."""

from crm_testkit.conformance import ServiceConformance
from crm_testkit.toy_service import MANIFEST
from crm_testkit.toy_service.samples import SAMPLES


class TestToyService(ServiceConformance):
    manifest = MANIFEST
    samples = SAMPLES
