"""From the row to what others may see of it."""

from crm_contracts.campaigns import Campaign
from crm_contracts.registry import CAMPAIGN
from crm_kit.outbox import EntityEvents

from campaigns_svc.features.campaigns.models import CampaignRow


def snapshot(row: CampaignRow) -> Campaign:
    return Campaign.model_validate(row)


CAMPAIGN_EVENTS = EntityEvents(CAMPAIGN, CampaignRow, snapshot)
