"""The states of a campaign."""

from typing import get_args

from campaigns_svc.features.campaigns.rules import POSSIBLE_IN, UNFINISHED, Action, is_possible
from crm_contracts.campaigns import CampaignStatus


def test_every_action_is_declared() -> None:
    assert set(POSSIBLE_IN) == set(get_args(Action))
    for statuses in POSSIBLE_IN.values():
        assert statuses <= set(get_args(CampaignStatus))


def test_what_has_ended_stays_as_it_is_and_what_has_not_can_be_ended() -> None:
    for ended in ("sent", "cancelled"):
        assert [action for action in POSSIBLE_IN if is_possible(action, ended)] == ["delete"]
    for status in UNFINISHED:
        assert is_possible("cancel", status)
        assert not is_possible("delete", status)
        assert not is_possible("change", status)
