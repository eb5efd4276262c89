"""The audit log over a whole stack: every service tells, and what was touched in a database is found by the command."""

import asyncio
import itertools
import os
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import pytest
from crm_testkit.one_of_everything import CONTACTS, DUPLICATES, INBOUND_DELIVERIES, JOBS, make_one_of_everything
from crm_testkit.whole_stack import Relata, new_tenant, running_stack

pytestmark = pytest.mark.long

LOG = "/v1/audit-log"
SERVICES = {"gateway", "contacts", "pipeline", "tickets", "campaigns"}


async def verify(relata: Relata, *arguments: str) -> tuple[int | None, list[str]]:
    """`make audit-verify`, beside the running stack."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crm_local", "audit-verify", *arguments,
        env={**os.environ, "RUN_DIR": str(relata.stack.folder.path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, output.decode().splitlines()


async def all_entries(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = await client.get(LOG, params={"limit": 200, **params} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert "degraded" not in page
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def sealed_entries(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while True:
            found = await all_entries(client)
            if all(one["seal"] for one in found):
                return found
            await asyncio.sleep(0.2)


async def as_owner(relata: Relata, service: str, tenant_id: str, statement: str) -> None:
    connection = await asyncpg.connect(relata.stack.environment_of(service)[f"{service.upper()}_OWNER_DATABASE_URL"])
    try:
        await connection.execute("select set_config('app.tenant_id', $1, false)", tenant_id)
        assert not (await connection.execute(statement)).endswith(" 0"), statement
    finally:
        await connection.close()


async def test_every_service_tells_what_was_done_and_by_whom(on_embedded: Relata) -> None:
    async with on_embedded.client_of(await on_embedded.new_tenant_key("Audited")) as client:
        ids = await make_one_of_everything(client)
        entries = await sealed_entries(client)
        assert {one["service"] for one in entries} == SERVICES
        made = {one["entity_id"] for one in entries if one["version"] == 1}
        # What it works on is told of, who had it found, and what became of it.
        del ids[JOBS], ids[DUPLICATES], ids[INBOUND_DELIVERIES]
        assert set(ids.values()) - made == set(), "something came to be that is not told of"
        [key] = {one["actor"] for one in entries if one["entity_id"] == ids[CONTACTS]}
        assert key.startswith("key_")
        by_job = [
            one for one in entries if one["via"] == "api_key" and one["request_id"].startswith(("timer-", "job_"))
        ]
        assert {one["actor"] for one in by_job} == {key}, "what a job does is done in the name of who asked"
        by_hand = [one for one in entries if one["via"] == "api_key" and one not in by_job]
        assert {one["actor"] for one in by_hand} == {key}
        assert {one["address"] for one in by_hand} == {"127.0.0.1"}
        assert {one["service"] for one in by_hand} == SERVICES
        assert all(one["user_agent"].startswith("python-httpx/") for one in by_hand)
        by_event = [one for one in entries if one["via"] == "event"]
        assert by_event, "the default pipeline is made for a tenant's event"
        assert all(one["actor"] == f"service/{one['service']}" for one in by_event)
        assert all(one["request_id"].startswith("event-event_") for one in by_event)
        places: dict[str, list[int]] = {}
        for one in entries:
            places.setdefault(one["service"], []).append(one["seal"]["sequence"])
        assert all(sorted(found) == list(range(1, len(found) + 1)) for found in places.values())


async def test_what_was_touched_in_any_database_is_found(on_embedded: Relata) -> None:
    tenant_id, key = await new_tenant(on_embedded.stack, "Touched")
    async with on_embedded.client_of(key) as client:
        await make_one_of_everything(client)
        await sealed_entries(client)
    code, lines = await verify(on_embedded)
    assert code == 0, lines
    heads = {line.partition(":")[0]: line.rpartition(" ")[2] for line in lines if f"head {tenant_id}:" in line}
    assert heads.keys() == SERVICES
    anchors = [option for service, head in heads.items() for option in ("--expect", f"{service}/{head}")]

    harm = {
        "contacts": "update audit_entry set actor = 'key_other' where sequence = 2",
        "pipeline": "delete from audit_entry where sequence = 2",
        "gateway": "update audit_entry set changes = '{}' where sequence = 1",
    }
    for service, statement in harm.items():
        await as_owner(on_embedded, service, tenant_id, statement)
    await as_owner(on_embedded, "tickets", tenant_id, "delete from audit_entry")
    await as_owner(on_embedded, "tickets", tenant_id, "delete from audit_head")
    code, lines = await verify(on_embedded, *anchors)
    assert code == 1
    faults = {tuple(line.split(": ")[:4]) for line in lines if " faults, head " not in line}
    last = heads["tickets"].split(":")[1]
    assert faults == {
        ("contacts", tenant_id, "2", "altered"),
        ("pipeline", tenant_id, "2", "removed"),
        ("gateway", tenant_id, "1", "altered"),
        ("tickets", tenant_id, last, "anchor"),
    }


async def test_the_command_says_what_it_cannot_read(on_embedded: Relata) -> None:
    code, lines = await verify(on_embedded, "--expect", "nonsense")
    assert (code, "is not SERVICE/TENANT:SEQUENCE:HASH" in " ".join(lines)) == (1, True)


async def test_kills_leave_every_acknowledged_change_told_once_in_a_whole_chain() -> None:
    async with running_stack("embedded", fast=False) as relata:
        made: list[str] = []
        done = asyncio.Event()

        async def write_on(writer: int) -> None:
            for n in itertools.count():
                if done.is_set():
                    return
                headers = {"Idempotency-Key": f"audit-{writer}-{n}"}
                while True:
                    with suppress(httpx.TransportError):
                        answer = await relata.client.post(CONTACTS, json={"full_name": f"客户 {n}"}, headers=headers)
                        if answer.status_code == 201:
                            made.append(answer.json()["id"])
                            break
                    await asyncio.sleep(0.1)

        writing = [asyncio.create_task(write_on(writer)) for writer in range(4)]
        for name in ("contacts", "contacts", "postgres", "contacts"):
            await asyncio.sleep(1.3)
            await relata.stack.restart(name)
        done.set()
        await asyncio.gather(*writing)
        async with asyncio.timeout(30):
            entries = await sealed_entries(relata.client)
        told = Counter(one["entity_id"] for one in entries if one["resource"] == "contact")
        assert len(made) > 20
        assert set(told.values()) == {1}
        assert set(made) <= told.keys()
        code, lines = await verify(relata)
        assert code == 0, lines
