"""Every topic there is: who publishes it, what it carries, which events occur on it."""

from dataclasses import dataclass

from crm_contracts import (
    campaigns,
    contacts,
    custom_fields,
    dates,
    inbound,
    lifecycle,
    pipeline,
    pools,
    privacy,
    relationships,
    retention,
    sign_in,
    tag_rules,
    tenancy,
    tickets,
    validation_rules,
    webhooks,
)
from crm_contracts.types import Entity

PARTITIONS = 12
"""Part of the contract: raising it moves keys to other partitions."""

RESTATED = "restated"
"""Of every topic: the entity as it is, published once more under its version; who has that version has nothing to do."""

BASIC = ("created", "updated", "deleted", RESTATED)


@dataclass(frozen=True, slots=True)
class Topic:
    """One entity type's events. `actions` are the verbs of its event types; `version` their major version.

    `minor` rises when an optional member comes or goes, or an action comes (docs/adr/0014-versions-of-events.md).
    """

    service: str
    entity: str
    model: type[Entity]
    actions: tuple[str, ...] = BASIC
    version: int = 1
    minor: int = 0

    @property
    def name(self) -> str:
        return f"crm.{self.service}.{self.entity}"

    def event_type(self, action: str) -> str:
        """Raises ValueError for an action that is not declared."""
        if action not in self.actions:
            raise ValueError(f"{self.name} declares no event {action!r}")
        return f"{self.name}.{action}.v{self.version}"

    def data_schema(self, action: str) -> str:
        """The CloudEvents `dataschema` of such an event: it alone tells the minor version."""
        return f"urn:relata:{self.name}.{action}:{self.version}.{self.minor}"

    def understands(self, event_type: str) -> bool:
        """Whether the event carries `model`: it has this entity and major version, and any action, declared or not."""
        name, _, major = event_type.rpartition(".")
        return name.rpartition(".")[0] == self.name and major == f"v{self.version}"

    @property
    def event_types(self) -> tuple[str, ...]:
        return tuple(self.event_type(action) for action in self.actions)


TENANT = Topic("gateway", "tenant", tenancy.Tenant)
TEAM = Topic("gateway", "team", tenancy.Team)
USER = Topic("gateway", "user", tenancy.User)
ROLE = Topic("gateway", "role", tenancy.Role)
IDENTITY_PROVIDER = Topic("gateway", "identity_provider", sign_in.IdentityProvider)
INBOUND_SOURCE = Topic("gateway", "inbound_source", inbound.InboundSource)
SYNC_CONFLICT = Topic("gateway", "sync_conflict", inbound.SyncConflict, ("created", "deleted", RESTATED))
WEBHOOK_ENDPOINT = Topic(
    "gateway", "webhook_endpoint", webhooks.WebhookEndpoint, (*BASIC, "paused", "resumed", "disabled")
)

CONTACT = Topic(
    "contacts",
    "contact",
    contacts.Contact,
    (*BASIC, "lifecycle_changed", "claimed", "released", "returned", "merged", "unmerged", "archived", "restored"),
    minor=3,
)
ACCOUNT = Topic("contacts", "account", contacts.Account, (*BASIC, "lifecycle_changed", "archived", "restored"), minor=3)
ACTIVITY = Topic("contacts", "activity", contacts.Activity, minor=1)
CONSENT = Topic("contacts", "consent", contacts.Consent, ("granted", "withdrawn", "deleted", RESTATED), minor=1)
MERGE = Topic("contacts", "merge", contacts.Merge, ("created", "undone", "deleted", RESTATED))
TERRITORY = Topic("contacts", "territory", contacts.Territory)
CUSTOM_FIELD = Topic("contacts", "custom_field", custom_fields.CustomField)
VALIDATION_RULE = Topic("contacts", "validation_rule", validation_rules.ValidationRule)
TAG_RULE = Topic("contacts", "tag_rule", tag_rules.TagRule)
LIFECYCLE = Topic("contacts", "lifecycle", lifecycle.Lifecycle)
POOL = Topic("contacts", "pool", pools.Pool)
CONSENT_PURPOSE = Topic("contacts", "consent_purpose", privacy.ConsentPurpose)
PRIVACY_REQUEST = Topic("contacts", "privacy_request", privacy.PrivacyRequest)
RETENTION_RULE = Topic("contacts", "retention_rule", retention.RetentionRule, (*BASIC, "ran"))
LEGAL_HOLD = Topic("contacts", "legal_hold", retention.LegalHold, (*BASIC, "released"))
RELATIONSHIP = Topic("contacts", "relationship", relationships.Relationship)
DATE_REMINDER = Topic("contacts", "date_reminder", dates.DateReminder)
DATE_OCCURRENCE = Topic(
    "contacts", "date_occurrence", dates.DateOccurrence, ("came_due", "updated", "deleted", RESTATED)
)

PIPELINE = Topic("pipeline", "pipeline", pipeline.Pipeline)
DEAL = Topic("pipeline", "deal", pipeline.Deal, (*BASIC, "stage_moved"), minor=1)
PRODUCT = Topic("pipeline", "product", pipeline.Product)
ORDER = Topic("pipeline", "order", pipeline.Order, minor=1)
INVOICE = Topic("pipeline", "invoice", pipeline.Invoice, (*BASIC, "paid", "overdue"))
PAYMENT = Topic("pipeline", "payment", pipeline.Payment)

TICKET = Topic("tickets", "ticket", tickets.Ticket, (*BASIC, "message_added", "solved", "reopened"), minor=1)
TICKET_MESSAGE = Topic("tickets", "ticket_message", tickets.TicketMessage)

TEMPLATE = Topic("campaigns", "template", campaigns.Template)
SEGMENT = Topic("campaigns", "segment", campaigns.Segment)
SEGMENT_MEMBER = Topic("campaigns", "segment_member", campaigns.SegmentMember, BASIC, minor=1)
CAMPAIGN = Topic(
    "campaigns",
    "campaign",
    campaigns.Campaign,
    (*BASIC, "scheduled", "started", "paused", "cancelled", "finished"),
)
MESSAGE = Topic(
    "campaigns",
    "message",
    campaigns.Message,
    ("queued", "updated", "sent", "skipped", "failed", "cancelled", "deleted", RESTATED),
)
UNSUBSCRIBE = Topic("campaigns", "unsubscribe", campaigns.Unsubscribe, BASIC, minor=1)

TOPICS: tuple[Topic, ...] = (
    TENANT,
    TEAM,
    USER,
    ROLE,
    IDENTITY_PROVIDER,
    INBOUND_SOURCE,
    SYNC_CONFLICT,
    WEBHOOK_ENDPOINT,
    CONTACT,
    ACCOUNT,
    ACTIVITY,
    CONSENT,
    MERGE,
    TERRITORY,
    CUSTOM_FIELD,
    VALIDATION_RULE,
    TAG_RULE,
    LIFECYCLE,
    POOL,
    CONSENT_PURPOSE,
    PRIVACY_REQUEST,
    RETENTION_RULE,
    LEGAL_HOLD,
    RELATIONSHIP,
    DATE_REMINDER,
    DATE_OCCURRENCE,
    PIPELINE,
    DEAL,
    PRODUCT,
    ORDER,
    INVOICE,
    PAYMENT,
    TICKET,
    TICKET_MESSAGE,
    TEMPLATE,
    SEGMENT,
    SEGMENT_MEMBER,
    CAMPAIGN,
    MESSAGE,
    UNSUBSCRIBE,
)

PRIVACY_RECEIPTS: tuple[Topic, ...] = tuple(
    Topic(service, "privacy_receipt", privacy.PrivacyReceipt, ("created", "deleted"))
    for service in ("contacts", "pipeline", "tickets", "campaigns", "gateway")
)
"""Between services alone: what each of them says of a privacy request. Nobody reads them as a resource."""

EVERY_TOPIC = (*TOPICS, *PRIVACY_RECEIPTS)

BY_NAME = {topic.name: topic for topic in EVERY_TOPIC}
