"""The checker of outgoing mail by itself: what a mailing explains is clean, and one changed thing is found."""

from dataclasses import replace
from typing import Any

import pytest
from crm_testkit.chaos.mailings import Mailing, Mailings, Person, check_mail

_TENANT = "tenant_01jd3zq8w9e2vbx7k5m4n6p8qr"
_ASKED = Person("contact_a", f"{_TENANT[-8:]}-a@example.com", None, must=True)
_NEVER = Person("contact_b", f"{_TENANT[-8:]}-b@example.com", "never asked", must=False)
_SENT = {"id": "message_a", "campaign_id": "campaign_1", "contact_id": "contact_a", "status": "sent", "reason": None}
_SKIPPED = {**_SENT, "id": "message_b", "contact_id": "contact_b", "status": "skipped", "reason": "no_consent"}
_TAKEN = {"message_a": [_ASKED.address]}


def _mailings(**changed: Any) -> Mailings:
    mailing = Mailing("campaign_1", {"contact_a": _ASKED, "contact_b": _NEVER}, scheduled=True)
    return Mailings(_TENANT, [replace(mailing, **changed)], withdrawn={"contact_c"})


def _found(messages: list[dict[str, Any]], taken: dict[str, list[str]], withdrawn: str = "contact_c") -> set[str]:
    found = check_mail(_mailings(), messages, taken, frozenset({withdrawn}))
    return {f"{anomaly.verdict} in {anomaly.where}" for anomaly in found}


def test_what_a_mailing_explains_is_clean() -> None:
    assert _found([_SENT, _SKIPPED], _TAKEN) == set()


def test_a_copy_with_the_same_message_id_is_no_anomaly() -> None:
    assert _found([_SENT, _SKIPPED], {"message_a": [_ASKED.address] * 3}) == set()


def test_a_mail_whose_answer_was_lost_may_have_left() -> None:
    assert _found([{**_SENT, "status": "failed", "reason": "smtp_timeout"}, _SKIPPED], _TAKEN) == set()


def test_a_mailing_that_nobody_knows_to_have_started_may_have_no_messages() -> None:
    assert check_mail(_mailings(scheduled=False), [], {}, frozenset({"contact_c"})) == []


_CHANGES: dict[str, tuple[list[dict[str, Any]], dict[str, list[str]], str]] = {
    "no message": ([_SENT], _TAKEN, "lost in the messages"),
    "two messages to one": ([_SENT, {**_SENT, "id": "message_c"}, _SKIPPED], _TAKEN, "duplicated in the messages"),
    "a message to nobody": ([_SENT, _SKIPPED, {**_SKIPPED, "id": "x", "contact_id": "y"}], _TAKEN, "invented in the messages"),
    "never finished": ([{**_SENT, "status": "sending"}, _SKIPPED], _TAKEN, "lost in the messages"),
    "no reason": ([_SENT, {**_SKIPPED, "reason": None}], _TAKEN, "lost in the messages"),
    "skipped in spite of consent": ([{**_SENT, "status": "skipped", "reason": "no_consent"}, _SKIPPED], {}, "lost in the messages"),
    "sent and not seen": ([_SENT, _SKIPPED], {}, "lost in the mail"),
    "sent without consent": ([_SENT, {**_SKIPPED, "status": "sent"}], {**_TAKEN, "message_b": [_NEVER.address]}, "invented in the mail"),
    "left though skipped": ([_SENT, _SKIPPED], {**_TAKEN, "message_b": [_NEVER.address]}, "invented in the mail"),
    "mail of no message": ([_SENT, _SKIPPED], {**_TAKEN, "message_x": [_ASKED.address]}, "invented in the mail"),
    "mail to another tenant": ([_SENT, _SKIPPED], {"message_a": ["deadbeef-x@example.com"]}, "cross-tenant in the mail"),
}  # fmt: skip


@pytest.mark.parametrize("change", _CHANGES)
def test_one_changed_thing_is_found(change: str) -> None:
    messages, taken, verdict = _CHANGES[change]
    assert verdict in _found(messages, taken)


def test_a_withdrawal_that_did_not_arrive_is_found() -> None:
    assert _found([_SENT, _SKIPPED], _TAKEN, "another") == {"lost in a local copy"}
