"""Pure decisions about campaigns.

draft ─schedule─► scheduled ─time─► sending ─all messages have ended─► sent
                    │   ▲              │  ▲
                  pause resume       pause resume        cancel: from any but sent
                    ▼   │              ▼  │
                    paused             paused
"""

from collections.abc import Mapping
from typing import Final, Literal

from crm_contracts.campaigns import CampaignStatus

Action = Literal["change", "delete", "schedule", "pause", "resume", "cancel"]

CAMPAIGN_RUN: Final = "campaign_run"
"""The timer that drives a campaign: starts it, queues its messages, ends it, clears up after its cancellation."""

POSSIBLE_IN: Final[Mapping[Action, frozenset[CampaignStatus]]] = {
    "change": frozenset({"draft"}),
    "delete": frozenset({"draft", "sent", "cancelled"}),
    "schedule": frozenset({"draft", "scheduled"}),
    "pause": frozenset({"scheduled", "sending"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset({"draft", "scheduled", "sending", "paused"}),
}

UNFINISHED: Final[frozenset[CampaignStatus]] = frozenset({"scheduled", "sending", "paused"})


def is_possible(action: Action, status: str) -> bool:
    return status in POSSIBLE_IN[action]


def status_after_resume(*, started: bool) -> CampaignStatus:
    return "sending" if started else "scheduled"
