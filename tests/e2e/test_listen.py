"""`relata listen`: a receiver on this machine gets events as webhooks would bring them."""

import asyncio
import signal
import sys

from crm_testkit.stand_in import Reply, running_stand_in
from crm_testkit.webhooks import until
from crm_testkit.whole_stack import Relata
from standardwebhooks import Webhook


async def test_events_are_forwarded_signed_until_it_ends(on_embedded: Relata) -> None:
    client, key = on_embedded.client, str(on_embedded.stack.dev["api_key"])
    async with running_stand_in() as receiver:
        receiver.reset(lambda _: Reply(204, {}, b""))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "crm_local", "listen", f"{receiver.url}/hook", "--kinds", "contact.created",
            "--gateway", on_embedded.gateway_url, "--key", key, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(30):
            secret = (await process.stdout.readline()).decode().strip().removeprefix("WEBHOOK_SECRET=")
            await process.stdout.readline()
        contact = (await client.post("/v1/contacts", json={"full_name": "听众"})).json()

        async def arrived() -> bool:
            return any(contact["id"].encode() in asked.body for asked in receiver.asked)

        await until(arrived)
        for asked in receiver.asked:
            Webhook(secret).verify(asked.body, asked.headers)
        async with asyncio.timeout(30):
            while contact["id"] not in (line := (await process.stdout.readline()).decode()):
                pass
        assert line.startswith("204  crm.contacts.contact.created.v1")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    left = (await client.get("/v1/webhook-endpoints", params={"limit": 200})).json()["data"]
    assert "relata listen" not in {endpoint["description"] for endpoint in left}


async def test_who_may_not_subscribe_is_told_so(on_embedded: Relata) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crm_local", "listen", "http://127.0.0.1:9/", "--gateway", on_embedded.gateway_url,
        "--key", "nonsense", stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, told = await process.communicate()
    assert process.returncode == 1
    assert told.decode().startswith("Relata cannot listen: ")
    assert "401" in told.decode()
