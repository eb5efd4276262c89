"""What drives a campaign."""

from collections.abc import Mapping
from datetime import datetime

from crm_kit.db.session import WriteSession
from crm_kit.settings import ServiceSettings
from crm_kit.timers import TimerHandler
from pydantic import JsonValue

from campaigns_svc.features.campaigns.rules import CAMPAIGN_RUN
from campaigns_svc.features.campaigns.usecases import run_campaign
from campaigns_svc.settings import CampaignsSettings


def timers(settings: ServiceSettings) -> Mapping[str, TimerHandler]:
    assert isinstance(settings, CampaignsSettings)
    batch = settings.campaign_batch_size

    async def run(session: WriteSession, key: str, _payload: Mapping[str, JsonValue]) -> datetime | None:
        return await run_campaign(session, key, batch)

    return {CAMPAIGN_RUN: run}
