"""What every service promises over HTTP and by events, written once and inherited by each service's tests.

A service's `tests/test_conformance.py` subclasses `ServiceConformance`, names its manifest and one `Sample` for each
resource; everything else follows from its OpenAPI document.
"""

from crm_testkit.conformance.access import AccessRules
from crm_testkit.conformance.changes import ChangeRules
from crm_testkit.conformance.entities import EntityRules
from crm_testkit.conformance.hardening import HardeningRules
from crm_testkit.conformance.isolation import IsolationRules
from crm_testkit.conformance.lists import ListRules
from crm_testkit.conformance.operations import OperationRules
from crm_testkit.conformance.retries import RetryRules
from crm_testkit.conformance.sample import Sample

__all__ = ["Sample", "ServiceConformance"]


class ServiceConformance(
    # The last is collected first: operations end the run by looking back at all answers.
    OperationRules,
    IsolationRules,
    HardeningRules,
    ListRules,
    RetryRules,
    ChangeRules,
    EntityRules,
    AccessRules,
):
    """The whole suite. Wants a `service` fixture (crm_testkit.service.running_service), best of session scope."""
