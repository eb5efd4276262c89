"""The references that every figure is set against, in processes of their own over the same PostgreSQL server.

R1 Starlette that says hello; R2 FastAPI and asyncpg that read one JSONB row by its primary key; R3 the same that insert
two rows in one transaction; R4 `COPY` of contacts into a table with contact's own indexes. What the gateway adds is told
by the same request sent to the service itself (R6). R5, a bare aiokafka producer and consumer, is `event_path.py`'s.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import asyncpg
import httpx
from crm_local.ports import find_free_ports
from crm_local.stack import LocalStack

_TABLES = """
    create schema if not exists reference;
    drop table if exists reference.view, reference.contact, reference.outbox;
    create table reference.view (id text primary key, document jsonb not null);
    create table reference.contact (id bigserial primary key, name text not null);
    create table reference.outbox (id bigserial primary key, payload text not null);
"""
_COPIED = "insert into reference.view select id, convert_from(doc, 'UTF8')::jsonb from customer_view"


@dataclass(frozen=True)
class References:
    """R1's and R2's base URLs, and the processes' ids by those names."""

    hello: str
    database: str
    pids: dict[str, int]


async def fill_references(stack: LocalStack) -> None:
    """R2 holds the very documents that the gateway answers."""
    connection = await asyncpg.connect(stack.database_url("gateway"), command_timeout=900)
    try:
        await connection.execute(_TABLES)
        await connection.execute(_COPIED)
        await connection.execute("vacuum analyze reference.view")
    finally:
        await connection.close()


@asynccontextmanager
async def running_references(stack: LocalStack) -> AsyncIterator[References]:
    """Call `fill_references` before the first request."""
    ports = dict(zip(("hello", "database"), find_free_ports(2), strict=True))
    environment = {**os.environ, "REFERENCE_DATABASE_URL": stack.database_url("gateway")}
    processes = {}
    for name, port in ports.items():
        options = ["--app-dir", str(Path(__file__).parent), "--port", str(port), "--no-access-log"]
        command = [sys.executable, "-m", "uvicorn", *options, f"reference_{name}:app"]
        processes[name] = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=DEVNULL, stderr=DEVNULL
        )
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    try:
        for url in urls.values():
            await _answers(url)
        yield References(urls["hello"], urls["database"], {name: process.pid for name, process in processes.items()})
    finally:
        for process in processes.values():
            process.terminate()
            await process.wait()


async def _answers(url: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(20):
        while True:
            try:
                await client.get(url)
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def copied_contacts(stack: LocalStack, rows: int) -> float:
    """R4: rows a second of `COPY` into a table like contact, its indexes among it."""
    connection = await asyncpg.connect(stack.database_url("contacts"), command_timeout=900)
    try:
        await connection.execute("create schema if not exists reference")
        await connection.execute("drop table if exists reference.contact")
        await connection.execute("create table reference.contact (like contact including all)")
        names: Sequence[str] = [
            row["attname"]
            for row in await connection.fetch(
                "select attname from pg_attribute where attrelid = 'contact'::regclass and attnum > 0"
                " and not attisdropped and attgenerated = '' order by attnum"
            )
        ]
        columns = ", ".join(names)
        records = [tuple(row) for row in await connection.fetch(f"select {columns} from contact limit $1", rows)]
        began = time.perf_counter()
        await connection.copy_records_to_table("contact", schema_name="reference", records=records, columns=names)
        seconds = time.perf_counter() - began
        await connection.execute("drop table reference.contact")
        return len(records) / seconds
    finally:
        await connection.close()
