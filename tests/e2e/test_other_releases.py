"""Events of other releases, put onto the log: what the view, a local copy and the dead letters make of them."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from crm_contracts.envelope import Event
from crm_testkit.customer_world import World, money
from crm_testkit.whole_stack import Relata, differences

RIGHTS = {f"{service}.rights" for service in ("gateway", "pipeline", "tickets", "campaigns")}
CONSUMERS = {"gateway.view", "campaigns.contacts", *RIGHTS}


async def _view(client: Any, contact_id: str, version: int) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            answer = await client.get(f"/v1/customers/{contact_id}")
            if answer.status_code == 200 and answer.json()["profile"]["version"] >= version:
                found: dict[str, Any] = answer.json()
                return found
            await asyncio.sleep(0.05)


async def _copy(relata: Relata, contact_id: str, version: int) -> str:
    """The profile in campaigns-svc, which shows it to nobody: read as superuser."""
    connection = await asyncpg.connect(relata.stack.database_url("campaigns"))
    statement = "select profile::text from contact_copy where id = $1 and version >= $2"
    try:
        async with asyncio.timeout(30):
            while (found := await connection.fetchval(statement, contact_id, version)) is None:
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return str(found)


def _as_newer(event: Event, **members: Any) -> Event:
    """As a release with a higher minor, and an action that is not known here, would have published it."""
    assert event.entity is not None
    name, _action, major = event.type.rsplit(".", 2)
    return replace(
        event,
        type=f"{name}.reviewed.{major}",
        data_schema=f"urn:relata:{name}.reviewed:1.9",
        entity={**event.entity, **members},
    )


async def test_members_words_and_actions_of_a_newer_minor_are_taken_and_shown(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Newer")) as client:
        world = World((await client.get("/v1/tenants")).json()["data"][0]["id"])
        contact = world.create("contact", emails=[{"address": "a@example.com", "primary": True, "verified": False}])
        world.create("deal", contact_id=contact["id"], amount=money("10.00"))
        (contact_topic, contact_event), (deal_topic, deal_event) = world.events
        newer = {
            "nickname": {"text": "小梅", "since": ["2026"]},
            "emails": [{**contact["emails"][0], "label": "work"}],
            "lifecycle_stage": "ambassador",
        }
        await on_embedded.publish(
            (contact_topic, _as_newer(contact_event, **newer)), (deal_topic, _as_newer(deal_event, heat=7))
        )
        view = await _view(client, contact["id"], 1)
        assert {name: view["profile"][name] for name in newer} == newer
        assert view["lifecycle_stage"] == "ambassador"
        async with asyncio.timeout(30):
            while not view["sales"]["open_deals"]:
                view = await _view(client, contact["id"], 1)
        assert view["sales"]["open_deals"][0]["heat"] == 7
        assert '"ambassador"' in await _copy(on_embedded, contact["id"], 1)

        older = replace(contact_event, sequence=2, entity={**contact, "version": 2}, data_schema=None)
        await on_embedded.publish((contact_topic, older))
        view = await _view(client, contact["id"], 2)
        assert differences(view["profile"], {**contact, "version": 2}) == []
        assert '"lead"' in await _copy(on_embedded, contact["id"], 2)
        assert (await client.get("/v1/dead-letters")).json()["data"] == []


@pytest.mark.parametrize("unknown", ["crm.contacts.contact.created.v2", "crm.contacts.person.created.v1"])
async def test_an_unknown_entity_or_major_is_a_letter_of_everyone_who_reads_the_topic(
    on_embedded: Relata, unknown: str
) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Unknown")) as client:
        world = World((await client.get("/v1/tenants")).json()["data"][0]["id"])
        contact = world.create("contact")
        [(topic, event)] = world.events
        await on_embedded.publish((topic, replace(event, type=unknown)))
        letters: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while letters.keys() != CONSUMERS:
                letters = {one["consumer"]: one for one in (await client.get("/v1/dead-letters")).json()["data"]}
        assert {(one["kind"], one["event_type"], one["key"]) for one in letters.values()} == {
            ("unsupported", unknown, contact["id"])
        }
        await on_embedded.publish((topic, event))
        await _view(client, contact["id"], 1)
        await _copy(on_embedded, contact["id"], 1)
