"""The copies made anew out of the log."""

import io
from typing import Any

from campaigns_svc.features.audience.consumers import AUDIENCE
from crm_contracts.ids import ContactId
from crm_kit.rebuild import Progress, open_rebuild
from sqlalchemy import text

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def rebuild(shop: Shop, *ids: str, switch: bool = True) -> list[tuple[str, str]]:
    """What was found of these rows alone: other tests put older events after newer ones, and of such a log compaction
    leaves the older."""
    settings = shop.service.runtime.settings
    async with open_rebuild(AUDIENCE, settings, "campaigns", Progress(AUDIENCE.name, io.StringIO())) as made:
        found = await made.run(switch=switch)
    rows = [(difference.kind, key.rpartition("/")[2]) for difference in found for key in difference.ids]
    return [row for row in rows if row[1] in ids]


async def test_damaged_copies_are_healed_and_then_decide_again(shop: Shop) -> None:
    emails = [{"address": "eve@example.com", "primary": True, "verified": True}]
    moved, lost = ContactId.new(), ContactId.new()
    await shop.publish(*(shop.contact(one, full_name="Eve", emails=emails) for one in (moved, lost)))
    forgotten = shop.consent(lost)
    await shop.publish(shop.consent(moved), forgotten)
    async with shop.service.runtime.database.write(shop.tenant.id) as session:
        await session.execute(text("update contact_copy set email = 'else@example.com' where id = :id"), {"id": moved})
        await session.execute(text("delete from consent_copy where contact_id = :id"), {"id": lost})
    ids = (moved, lost, forgotten[1].subject)
    assert await rebuild(shop, *ids) == [("different", moved), ("only rebuilt", forgotten[1].subject)]
    messages = await shop.run(await shop.campaign(moved, lost))
    assert {one: message["address"] for one, message in messages.items()} == dict.fromkeys(
        [moved, lost], "eve@example.com"
    )
    assert {message["status"] for message in messages.values()} == {"sent"}
    assert await rebuild(shop, *ids, switch=False) == []
