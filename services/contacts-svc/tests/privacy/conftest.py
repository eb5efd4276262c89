"""A tenant of contacts-svc alone."""

import pytest
from crm_testkit.service import ServiceUnderTest, Tenant


@pytest.fixture
def tenant(service: ServiceUnderTest) -> Tenant:
    return service.tenant()
