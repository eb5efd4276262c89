"""The primary dies under load and its standby is promoted: services find it by themselves, and what was acknowledged is there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest_asyncio
from crm_kit.db.base_backup import restore_base_backup, take_base_backup
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.provision import EventLogDatabase, ServiceDatabase, ServiceUrls, provision
from crm_kit.db.system_user import find_open_folder, find_system_user
from crm_testkit.kafka_broker import free_ports
from crm_testkit.postgres import make_open_folder
from crm_testkit.service import Tenant, running_service
from crm_testkit.toy_service import MANIFEST, NOTE

TOY = ServiceDatabase("toy", "owner", "app", "system")
LOG = EventLogDatabase("log", name="event_log")


@dataclass
class Pair:
    """A primary and the standby that each commit waits for."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres
    ports: tuple[int, int]

    def url(self, role: str, password: str, database: str) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"postgresql://{role}:{password}@{hosts}/{database}?target_session_attrs=read-write"


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    with make_open_folder() as folder:
        ports = free_ports(2)
        primary = EmbeddedPostgres(folder / "one", port=ports[0]).start()
        standby = EmbeddedPostgres(folder / "two", port=ports[1])
        try:
            await provision(primary.superuser_url(), TOY, LOG)
            await asyncio.to_thread(take_base_backup, folder / "one", folder / "copy")
            await asyncio.to_thread(restore_base_backup, folder / "copy", folder / "two")
            _make_standby(folder / "two", primary, ports[0])
            await asyncio.to_thread(standby.start)
            await _said(primary, "alter system set synchronous_standby_names = '*'", "select pg_reload_conf()")
            await _until_synchronous(primary)
            yield Pair(primary, standby, (ports[0], ports[1]))
        finally:
            standby.kill()
            primary.kill()


def _make_standby(data_dir: Path, primary: EmbeddedPostgres, port: int) -> None:
    user = find_system_user()
    cluster = find_open_folder(data_dir, user) / "cluster"
    password = primary.superuser_url().split(":")[2].split("@")[0]
    signal = cluster / "standby.signal"
    signal.touch()
    user.give(signal)
    with (cluster / "postgresql.auto.conf").open("a") as file:
        file.write(f"primary_conninfo = 'host=127.0.0.1 port={port} user=postgres password={password}'\n")


async def _said(server: EmbeddedPostgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.superuser_url())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _until_synchronous(primary: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(primary.superuser_url())
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("select sync_state from pg_stat_replication") != "sync":
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


class Writer:
    """Makes notes, each again under its key until it is answered; `made` holds ids and when they were acknowledged."""

    def __init__(self, tenant: Tenant, number: int) -> None:
        self._client = tenant.client
        self._number = number
        self.made: list[tuple[float, str]] = []
        self.troubles = 0
        self.stop = asyncio.Event()

    async def run(self) -> None:
        place = 0
        while not self.stop.is_set():
            place += 1
            self.made.append(await self._write(f"{self._number}-{place}"))

    async def _write(self, mark: str) -> tuple[float, str]:
        while True:
            with suppress(httpx.TransportError):
                answer = await self._client.post(
                    "/v1/notes", json={"title": mark, "mark": mark}, headers={"Idempotency-Key": mark}
                )
                if answer.status_code == 201:
                    return time.monotonic(), answer.json()["id"]
                assert answer.status_code in (409, 503), answer.text
            self.troubles += 1
            await asyncio.sleep(0.05)


async def test_the_standby_takes_over_with_every_acknowledged_write(pair: Pair, tmp_path: Path) -> None:
    urls = ServiceUrls(*(pair.url(f"toy_{role}", role, "toy") for role in ("app", "system", "owner")))
    async with running_service(MANIFEST, urls, pair.url("event_log", "log", "event_log"), tmp_path) as service:
        tenant = service.tenant()
        writers = [Writer(tenant, number) for number in range(4)]
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.run())
            async with asyncio.timeout(60):
                while not all(len(writer.made) > 5 for writer in writers):
                    await asyncio.sleep(0.05)
            pair.primary.kill()
            died = time.monotonic()
            await _said(pair.standby, "alter system set synchronous_standby_names = ''", "select pg_promote()")
            promoted = time.monotonic()
            async with asyncio.timeout(60):
                while not all(writer.made[-1][0] > promoted for writer in writers):
                    await asyncio.sleep(0.05)
            for writer in writers:
                writer.stop.set()
        made = {id_ for writer in writers for _, id_ in writer.made}
        again = min(at for writer in writers for at, _ in writer.made if at > promoted)
        print(f"promoted after {promoted - died:.2f} s, writing again {again - promoted:.2f} s later")  # noqa: T201  # a figure
        for writer in writers:
            assert writer.troubles, "nobody noticed that the primary was gone"
        for id_ in made:
            assert (await tenant.client.get(f"/v1/notes/{id_}")).status_code == 200
        assert len(made) == sum(len(writer.made) for writer in writers)
        events = await service.events(NOTE.name, at_least=len(made))
        told = {event.id: event.subject for event in events if event.type.endswith(".created.v1")}
        assert sorted(told.values()) == sorted(made), "one event tells of each, however often the relay repeated it"
