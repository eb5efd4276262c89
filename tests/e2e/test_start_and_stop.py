"""SIGTERM loses and doubles nothing and leaves no request unanswered; who starts too early waits."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
from crm_local.ports import find_free_ports
from crm_local.stack import LocalStack
from crm_testkit.history import History, check_once, check_views
from crm_testkit.kafka_broker import RealKafka
from crm_testkit.whole_stack import Relata, running_stack

_TOGETHER = (("contacts", "pipeline"), ("tickets", "campaigns"), ("gateway",))


async def test_sigterm_under_load_loses_and_doubles_nothing(relata: Relata) -> None:
    async with relata.client_of(await relata.new_tenant_key()) as client:
        history = History(client)
        async with asyncio.TaskGroup() as group:
            for seed in range(4):
                group.create_task(history.write_on(seed))
            for names in _TOGETHER:
                await asyncio.sleep(0.3)
                old = {name: relata.stack.kill(name, signal.SIGTERM) for name in names}
                for name, pid in old.items():
                    await relata.stack.wait_restarted(name, pid)
            history.stop.set()
        unclean = [answer for answer in history.refusals if answer.status_code != 409 and not _is_clean(answer)]
        assert not unclean, [(answer.status_code, answer.text) for answer in unclean]
        await check_once(client, history.acknowledged())
        assert await check_views(client) >= 4


def _is_clean(answer: httpx.Response) -> bool:
    kind = answer.headers.get("content-type", "")
    return answer.status_code == 503 and "retry-after" in answer.headers and kind.startswith("application/problem+json")


@asynccontextmanager
async def _locked(relata: Relata, contact_id: str) -> AsyncIterator[None]:
    """Another transaction holds the row, so that a change of it is under way for as long."""
    connection = await asyncpg.connect(relata.stack.database_url("contacts"))
    try:
        async with connection.transaction():
            await connection.execute("select from contact where id = $1 for update", contact_id)
            yield
    finally:
        await connection.close()


async def test_a_request_under_way_is_answered(on_embedded: Relata) -> None:
    stack, client = on_embedded.stack, on_embedded.client
    contact = (await client.post("/v1/contacts", json={"full_name": "李娜"})).json()
    pid = stack.pids["contacts"]
    async with _locked(on_embedded, contact["id"]):
        change = asyncio.create_task(client.patch(f"/v1/contacts/{contact['id']}", json={"title": "经理"}))
        await asyncio.sleep(0.3)
        stack.kill("contacts", signal.SIGTERM)
        await asyncio.sleep(1)
        assert not change.done()
    answer = await change
    assert (answer.status_code, answer.json()["title"]) == (200, "经理")
    await stack.wait_restarted("contacts", pid)


async def test_a_request_that_outlasts_the_grace_period_is_a_clean_503(on_embedded: Relata) -> None:
    stack, client = on_embedded.stack, on_embedded.client
    contact = (await client.post("/v1/contacts", json={"full_name": "李娜"})).json()
    pid, begin = stack.pids["contacts"], time.monotonic()
    async with _locked(on_embedded, contact["id"]):
        change = asyncio.create_task(client.patch(f"/v1/contacts/{contact['id']}", json={"title": "经理"}))
        await asyncio.sleep(0.3)
        stack.kill("contacts", signal.SIGTERM)
        answer = await change
        assert _is_clean(answer), answer.text
        await stack.wait_restarted("contacts", pid)
    assert time.monotonic() - begin < 15
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json()["title"] is None


async def test_readiness_goes_first_and_the_process_exits_0(on_embedded: Relata) -> None:
    [port] = find_free_ports(1)
    environment = on_embedded.stack.environment_of("contacts")
    replica = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "contacts_svc", "serve"),
        env={**environment, "PORT": str(port), "SHUTDOWN_DELAY_SECONDS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _until_answered(client, 200)
            replica.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["reason"]) == (503, "it is being stopped")
            assert ready.headers["connection"] == "close"
            assert (await client.get("/healthz")).status_code == 200
            async with asyncio.timeout(10):
                assert await replica.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            replica.kill()


async def test_started_without_its_database_it_waits_and_recovers(on_embedded: Relata) -> None:
    stack = on_embedded.stack
    log = stack.folder.log_file("contacts")
    await stack.take_down("postgres", signal.SIGINT)
    try:
        said = log.stat().st_size
        await _restarting(stack, "contacts")
        async with httpx.AsyncClient(base_url=stack.urls["contacts"]) as client:
            reason = await _until_answered(client, 503)
            assert "the database does not answer" in reason
            await asyncio.sleep(3)
            assert (await client.get("/healthz")).status_code == 200
            early = await client.get("/v1/contacts")
            assert _is_clean(early), early.text
    finally:
        await stack.bring_back("postgres")
    words = log.read_text()[said:]
    assert "Traceback" not in words
    assert words.count("waiting_for_database") == 1
    assert "database_answers" in words
    assert (await on_embedded.client.get("/v1/contacts?limit=1")).status_code == 200


@pytest.mark.kafka
async def test_started_without_its_broker_it_waits_and_recovers(tmp_path: Path) -> None:
    with RealKafka(tmp_path / "kafka") as broker:
        if not broker.can_restart:
            pytest.skip(f"{broker.description} cannot be stopped from here")
        async with running_stack("kafka", broker.bootstrap_servers) as relata:
            stack = relata.stack
            log = stack.folder.log_file("tickets")
            await asyncio.to_thread(broker.stop)
            said = log.stat().st_size
            old = await _restarting(stack, "tickets")
            async with httpx.AsyncClient(base_url=stack.urls["tickets"]) as client:
                reason = await _until_answered(client, 503)
                assert reason == "the event log does not answer"
                ticket = await relata.client.post("/v1/tickets", json={"subject": "登录", "channel": "email"})
                assert ticket.status_code == 201, "the outbox takes it meanwhile"
                await asyncio.sleep(3)
                assert (await client.get("/healthz")).status_code == 200
            await asyncio.to_thread(broker.start)
            await stack.wait_restarted("tickets", old, 60)
            words = log.read_text()[said:]
            assert "Traceback" not in words
            assert 1 <= words.count("\n") < 40, words


async def _restarting(stack: LocalStack, name: str) -> int:
    """SIGTERM, and wait until another process runs, ready or not. Returns the old id."""
    old = stack.kill(name, signal.SIGTERM)
    async with asyncio.timeout(20):
        while stack.pids.get(name) in (old, None):
            await asyncio.sleep(0.05)
    return old


async def _until_answered(client: httpx.AsyncClient, status: int) -> str:
    """Waits until /readyz answers so; returns the reason that it gives."""
    async with asyncio.timeout(30):
        while True:
            with suppress(httpx.TransportError):
                if (answer := await client.get("/readyz")).status_code == status:
                    return str(answer.json().get("reason"))
            await asyncio.sleep(0.05)
