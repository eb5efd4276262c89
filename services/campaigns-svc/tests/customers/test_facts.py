"""What the gateway is told of a customer."""

from typing import Any

from crm_contracts.facts import MAX_TIMELINE, CampaignsFacts
from crm_contracts.ids import AccountId, ContactId

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def test_facts_are_the_newest_messages_and_the_memberships(shop: Shop) -> None:
    [(one, _), (two, _), (other, _)] = await shop.people(3)
    first = await shop.campaign(one, two)
    messages = [*(await shop.run(first)).values()]
    second = await shop.campaign(one, other, name="Summer")
    messages += [m for m in (await shop.run(second)).values() if m["contact_id"] == one]
    # A click makes the oldest message the newest thing that happened.
    clicked = messages[0]
    mail = next(d for d in shop.mail.to(clicked["address"]) if clicked["id"] in str(d.message["Message-ID"]))
    link = str(mail.message["List-Unsubscribe"])
    await shop.service.anonymous().post(shop.local(link[1:-1]))
    messages[0] = await shop.tenant.read(f"/v1/messages/{clicked['id']}")

    facts = await shop.post("/internal/facts", contact_ids=[one, two], account_id=AccountId.new())
    CampaignsFacts.model_validate(facts)

    def newest_first(message: dict[str, Any]) -> tuple[str, str]:
        return max(m for m in (message["queued_at"], message["sent_at"], message["unsubscribed_at"]) if m), message[
            "id"
        ]

    assert facts["recent_messages"] == sorted(messages, key=newest_first, reverse=True)
    assert facts["recent_messages"][0]["id"] == clicked["id"]
    members = [(member["segment_id"], member["contact_id"]) for member in facts["memberships"]]
    assert sorted(members) == sorted(
        [(first["segment_id"], one), (first["segment_id"], two), (second["segment_id"], one)]
    )
    assert [member[0] for member in members] == sorted(member[0] for member in members)


async def test_facts_are_bounded_and_empty_for_strangers(shop: Shop) -> None:
    template = await shop.template()
    [(contact_id, _)] = await shop.people(1)
    for _ in range(MAX_TIMELINE + 2):
        await shop.act(await shop.campaign(contact_id, template=template), "schedule")
    campaigns = (await shop.tenant.read("/v1/campaigns", limit=50))["data"]
    for campaign in campaigns:
        await shop.until(campaign, "sent")
    facts = await shop.post("/internal/facts", contact_ids=[contact_id])
    assert len(facts["recent_messages"]) == MAX_TIMELINE
    assert len(facts["memberships"]) == MAX_TIMELINE + 2
    nothing = {"recent_messages": [], "memberships": []}
    assert await shop.post("/internal/facts", contact_ids=[ContactId.new()]) == nothing
    assert await shop.post("/internal/facts", contact_ids=[]) == nothing
    stranger = await shop.service.tenant().client.post("/internal/facts", json={"contact_ids": [contact_id]})
    assert stranger.json() == nothing
