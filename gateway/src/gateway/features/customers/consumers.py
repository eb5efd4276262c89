"""The projections' subscriptions: every entity of every service; whose the customers are, and what is declared of them."""

from crm_contracts.registry import ACCOUNT, CONTACT, MERGE, TOPICS
from crm_kit.custom_fields import follow_custom_fields
from crm_kit.inbox import Consumer, Projection
from crm_kit.merging import follow_merges
from crm_kit.rights.copies import follow_owners

from gateway.features.customers import rebuilding
from gateway.features.customers.backlog import project_backlog
from gateway.features.customers.projection import project
from gateway.upstream import SERVICES

VIEW = Consumer(
    name="gateway.view",
    topics=tuple(topic for topic in TOPICS if topic.service in SERVICES),
    handle=project,
    handle_backlog=project_backlog,
    order="pass",
    backlog=50,
    projection=Projection(
        tables=(
            "entity",
            "timeline_entry",
            "customer_view",
            "customer_key",
            "stale_customer",
            "customer_search",
            "search_number",
        ),
        load=rebuilding.load,
        complete=rebuilding.complete,
        match=rebuilding.match,
    ),
)

OWNERS = follow_owners("gateway", {CONTACT: "account_id", ACCOUNT: None})

MERGES = follow_merges("gateway", MERGE)

CUSTOM_FIELDS = follow_custom_fields("gateway")
