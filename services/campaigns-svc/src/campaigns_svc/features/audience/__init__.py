"""Audience: this service's copies of contacts, accounts and consents, fed by their events."""

from crm_kit.manifest import Feature

from campaigns_svc.features.audience.consumers import AUDIENCE

FEATURE = Feature(consumers=(AUDIENCE,))
