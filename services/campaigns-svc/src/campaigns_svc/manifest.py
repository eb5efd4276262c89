"""START HERE: everything that campaigns-svc can do."""

from pathlib import Path

from crm_kit.manifest import Manifest

from campaigns_svc.base import METADATA
from campaigns_svc.features import audience, campaigns, customers, messages, privacy, segments, templates, unsubscribes
from campaigns_svc.features.campaigns.events import CAMPAIGN_EVENTS
from campaigns_svc.features.messages.events import MESSAGE_EVENTS
from campaigns_svc.features.segments.events import SEGMENT_EVENTS, SEGMENT_MEMBER_EVENTS
from campaigns_svc.features.templates.events import TEMPLATE_EVENTS
from campaigns_svc.features.unsubscribes.events import UNSUBSCRIBE_EVENTS
from campaigns_svc.settings import CampaignsSettings

MANIFEST = Manifest(
    name="campaigns",
    package="campaigns_svc",
    title="Relata campaigns",
    summary="Templates, segments, campaigns, messages and unsubscribes",
    settings=CampaignsSettings,
    metadata=METADATA,
    migrations=Path(__file__).parents[2] / "migrations",
    features=(
        audience.FEATURE,
        templates.FEATURE,
        segments.FEATURE,
        campaigns.FEATURE,
        messages.FEATURE,
        unsubscribes.FEATURE,
        customers.FEATURE,
        privacy.FEATURE,
    ),
    publishes=(
        TEMPLATE_EVENTS,
        SEGMENT_EVENTS,
        SEGMENT_MEMBER_EVENTS,
        CAMPAIGN_EVENTS,
        MESSAGE_EVENTS,
        UNSUBSCRIBE_EVENTS,
    ),
)
