"""The signed link, end to end."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from campaigns_svc.links import UnsubscribeLink
from crm_contracts.ids import ContactId, MessageId, TenantId
from crm_kit.http.signed_tokens import InvalidToken
from crm_kit.keyring import Keyring
from hypothesis import given
from hypothesis import strategies as st

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from

_SECRET = "a-secret-of-thirty-two-characters"
_KEYRING = Keyring(_SECRET)


async def _a_sent_mail(shop: Shop) -> tuple[str, str, str, dict[str, Any]]:
    """Contact, address, the link at the service itself, and the message."""
    [(contact_id, address)] = await shop.people(1)
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    link = str((await shop.mail_to(address)).message["List-Unsubscribe"])[1:-1]
    return contact_id, address, shop.local(link), message


async def test_one_click_withdraws_publishes_and_blocks(shop: Shop) -> None:
    contact_id, address, link, message = await _a_sent_mail(shop)
    # What a mail program sends: no credentials, a form.
    answer = await shop.service.anonymous().post(link, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"

    found = await shop.service.events("crm.campaigns.unsubscribe", at_least=1)
    [event] = [event for event in found if event.tenant_id == shop.tenant.id]
    assert event.type == "crm.campaigns.unsubscribe.created.v1"
    assert event.entity is not None
    assert {name: event.entity[name] for name in ("message_id", "contact_id", "channel", "purpose")} == {
        "message_id": message["id"],
        "contact_id": contact_id,
        "channel": "email",
        "purpose": "marketing",
    }
    now = await shop.tenant.read(f"/v1/messages/{message['id']}")
    assert now["unsubscribed_at"] == event.entity["at"]
    # Blocked here and now, though the ledger has said nothing yet.
    [next_message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert (next_message["status"], next_message["reason"]) == ("skipped", "unsubscribed")
    assert len(shop.mail.to(address)) == 1


async def test_a_second_click_changes_nothing(shop: Shop) -> None:
    _, _, link, message = await _a_sent_mail(shop)
    client = shop.service.anonymous()
    answers = await asyncio.gather(*(client.post(link) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    now = await shop.tenant.read(f"/v1/messages/{message['id']}")
    assert now["version"] == message["version"] + 1
    events = await shop.service.events("crm.campaigns.unsubscribe", at_least=1)
    assert len([event for event in events if event.tenant_id == shop.tenant.id]) == 1


async def test_a_consent_that_is_given_again_counts_until_the_next_click(shop: Shop) -> None:
    contact_id, address, link, message = await _a_sent_mail(shop)
    client = shop.service.anonymous()
    await client.post(link)
    first = (await shop.tenant.read(f"/v1/messages/{message['id']}"))["unsubscribed_at"]
    await asyncio.sleep(0.05)
    # The ledger's clock may be ahead of ours.
    await shop.publish(shop.consent(contact_id, "granted", 2, at=datetime.now(UTC) + timedelta(minutes=4)))
    [again] = (await shop.run(await shop.campaign(contact_id))).values()
    assert again["status"] == "sent"
    assert (await client.post(link)).status_code == 200
    assert (await shop.tenant.read(f"/v1/messages/{message['id']}"))["unsubscribed_at"] > first
    [stopped] = (await shop.run(await shop.campaign(contact_id))).values()
    assert (stopped["status"], stopped["reason"]) == ("skipped", "unsubscribed")
    assert len(shop.mail.to(address)) == 2


async def test_fetching_the_link_shows_a_page_and_changes_nothing(shop: Shop) -> None:
    _, _, link, message = await _a_sent_mail(shop)
    page = await shop.service.anonymous().get(link)
    assert page.status_code == 200
    assert "Unsubscribe" in page.text
    assert "确认退订" in page.text
    assert re.search(r'<form method="post">', page.text)
    assert not re.search(r"https?://|src=|<script|@import|url\(", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert await shop.tenant.read(f"/v1/messages/{message['id']}") == message


async def test_a_forged_link_is_not_found(shop: Shop) -> None:
    contact_id, _, link, message = await _a_sent_mail(shop)
    base, _, token = link.rpartition("/")
    payload, _, signature = token.partition(".")
    own = UnsubscribeLink(shop.tenant.id, message["id"], contact_id, "email", "marketing")
    forged = [
        "x",
        "preview",
        payload,
        f"{payload}.",
        f".{signature}",
        f"{payload}.{signature[:-1]}",
        f"{payload}.{signature}A",
        f"{payload}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        f"{payload}=.{signature}",
        f"A{payload}.{signature}",
        own.token(Keyring("another-secret-of-32-characters!")),
        "%00",
        "退订",
        "a" * 5000,
    ]
    client = shop.service.anonymous()
    for token in forged:
        for method in ("GET", "POST"):
            answer = await client.request(method, f"{base}/{token}")
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_link"), token
    assert await shop.tenant.read(f"/v1/messages/{message['id']}") == message


async def test_the_link_works_when_the_message_is_unknown_here(shop: Shop) -> None:
    keyring = shop.service.runtime.settings.keyring
    [(contact_id, _)] = await shop.people(1)
    link = UnsubscribeLink(shop.tenant.id, MessageId.new(), contact_id, "email", "marketing")
    answer = await shop.service.anonymous().post(f"/v1/unsubscribe/{link.token(keyring)}")
    assert answer.status_code == 200
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert message["reason"] == "unsubscribed"


async def test_a_link_of_before_the_secret_was_rotated_still_withdraws(shop: Shop) -> None:
    settings = shop.service.runtime.settings
    [(contact_id, _)] = await shop.people(1)
    link = UnsubscribeLink(shop.tenant.id, MessageId.new(), contact_id, "email", "marketing")
    of_a_fallback, of_a_stranger = (link.token(Keyring(secret)) for secret in (settings.secret_fallbacks, _SECRET))
    client = shop.service.anonymous()
    assert (await client.post(f"/v1/unsubscribe/{of_a_stranger}")).status_code == 404
    assert (await client.post(f"/v1/unsubscribe/{of_a_fallback}")).status_code == 200
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert message["reason"] == "unsubscribed"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", fullmatch=True))
def test_a_token_says_what_was_signed(purpose: str) -> None:
    link = UnsubscribeLink(TenantId.new(), MessageId.new(), ContactId.new(), "email", purpose)
    token = link.token(_KEYRING)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert UnsubscribeLink.parse(token, _KEYRING) == link
    with pytest.raises(InvalidToken):
        UnsubscribeLink.parse(token, Keyring(_SECRET + "x"))


@given(st.text(), st.text())
def test_no_text_is_a_token_by_chance(payload: str, signature: str) -> None:
    for token in (payload, f"{payload}.{signature}"):
        with pytest.raises(InvalidToken):
            UnsubscribeLink.parse(token, _KEYRING)
