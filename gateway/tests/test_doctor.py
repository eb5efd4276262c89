"""What the doctor says of webhooks and of what came in."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from crm_kit.db.provision import ServiceUrls
from crm_kit.doctor.command import look
from crm_kit.doctor.findings import Finding
from crm_testkit.door import Door, running_door
from crm_testkit.passing_time import let_deliveries_wait
from crm_testkit.shops import Shop
from crm_testkit.stand_in import running_stand_in
from crm_testkit.webhooks import Hooks, place, until
from gateway.composition import make_authenticator
from gateway.manifest import MANIFEST

CHECKS = ("webhooks", "webhook endpoints", "inbound")


async def _findings(door: Door) -> list[Finding]:
    return [each async for each in look(MANIFEST, door.service.runtime.settings) if each.check in CHECKS]


async def _says(door: Door, check: str, state: str, *texts: str) -> None:
    """Before long."""

    async def said() -> bool:
        return any(
            each.check == check and each.state == state and all(text in each.sentence for text in texts)
            for each in await _findings(door)
        )

    try:
        await until(said)
    except TimeoutError:
        raise AssertionError((texts, await _findings(door))) from None


async def test_backlogs_and_what_is_parked(
    postgres_database: Callable[[str], ServiceUrls], event_log_database: Callable[[], str], tmp_path: Path
) -> None:
    urls, log = postgres_database("gateway"), event_log_database()
    folders = [tmp_path / name for name in ("asleep", "awake")]
    for folder in folders:
        folder.mkdir()
    async with running_door(MANIFEST, make_authenticator, urls, log, folders[0], roles=("api", "relay")) as door:
        assert {each.state for each in await _findings(door)} == {"ok"}
        tenant = await door.tenant()
        source = await Hooks(tenant.client, door.behind["contacts"]).post(
            "/v1/inbound-sources", 201, {"name": "Shop", "kind": "generic", "topic_header": "X-Topic"}
        )
        shop = Shop(door.service.anonymous(), source)
        for number in range(2):
            assert (await shop.standard({"id": number}, **{"X-Topic": "thing.made"})).status_code == 200
        await _says(door, "inbound", "ok", "2 inbound deliveries are due, the first for ")
        await let_deliveries_wait(urls.app, tenant.id, timedelta(minutes=10))
        await _says(door, "inbound", "fault", "2 inbound deliveries are due, the first for 60", "role consume")

    trusted = {"outbound_trusted_hosts": "127.0.0.1"}
    async with (
        running_door(MANIFEST, make_authenticator, urls, log, folders[1], **trusted) as door,
        running_stand_in() as receiver,
    ):
        await _says(door, "inbound", "ok", "No inbound delivery waits.")
        await _says(
            door, "inbound", "warning", "2 inbound deliveries are parked: GET /v1/inbound-deliveries?status=parked"
        )
        hooks = Hooks(door.client(tenant.key), receiver)
        hooks.answer_in_turn(500)
        paused, _failing = await asyncio.gather(hooks.subscribe(), hooks.subscribe())
        answer = await hooks.client.patch(place(paused), json={"status": "paused"})
        assert answer.status_code == 200, answer.text
        await hooks.team("销售")
        expected = (
            "1 endpoints fail and 1 are paused, disabled or fetched from; 1 deliveries are tried again and 0 wait"
        )
        await _says(door, "webhook endpoints", "warning", expected)
