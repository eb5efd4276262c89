"""START HERE: everything that campaigns-svc can do."""

from pathlib import Path

from crm_contracts.registry import CAMPAIGN, MESSAGE, SEGMENT, SEGMENT_MEMBER, TEMPLATE, UNSUBSCRIBE
from crm_kit.manifest import Manifest

from campaigns_svc.base import METADATA
from campaigns_svc.features import audience, campaigns, customers, messages, segments, templates, unsubscribes
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
    ),
    publishes=(TEMPLATE, SEGMENT, SEGMENT_MEMBER, CAMPAIGN, MESSAGE, UNSUBSCRIBE),
)
