"""`python -m crm_delivery.confined.player GATEWAY MAILBOX PEOPLE`: the demo's week, as a client in a network of its own.

The admin key comes on standard input. The mail of the campaigns arrives here, at MAILBOX (`address:port`).
"""

import asyncio
import sys
import uuid

import httpx
from crm_local.demo.careful import CarefulClient, DemoFailed
from crm_local.demo.mailbox import Mailbox
from crm_local.demo.people import Cast
from crm_local.demo.week import Week


async def main(gateway: str, mail: str, people: int, admin_key: str) -> str | None:
    """None, or in one sentence what failed."""
    host, _, port = mail.rpartition(":")
    done: dict[str, int] = {}
    async with (
        httpx.AsyncClient(base_url=gateway, timeout=30, trust_env=False) as client,
        Mailbox(host, int(port)) as box,
    ):
        answer = await client.post(
            "/v1/tenants",
            json={"name": "Demo", "region": "CN"},
            headers={"Authorization": f"Bearer {admin_key}", "Idempotency-Key": str(uuid.uuid4())},
        )
        if answer.status_code != 201:
            return f"the gateway made no tenant: {answer.status_code} {answer.text[:300]}"
        client.headers["Authorization"] = f"Bearer {answer.json()['api_key']}"
        try:
            await Week(
                CarefulClient(client),
                box,
                Cast(20_261_129),
                people,
                lambda title, so_far, _: done.update({title: so_far}),
            ).play()
        except DemoFailed as error:
            return str(error)
        sys.stdout.writelines(f"{title}: {count}\n" for title, count in done.items())
    return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.stdin.readline().strip())))
