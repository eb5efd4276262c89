"""R2 and R3: FastAPI and asyncpg with nothing else, one JSONB row by primary key, two rows in a transaction."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import Response

URL = os.environ["REFERENCE_DATABASE_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(URL, min_size=2, max_size=10)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.get("/view/{key}")
async def view(key: str, request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        document = await connection.fetchval("select document::text from reference.view where id = $1", key)
    return Response(document, media_type="application/json")


@app.post("/contact", status_code=201)
async def contact(body: dict[str, object], request: Request) -> dict[str, object]:
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval("insert into reference.contact (name) values ($1) returning id", str(body))
        await connection.execute("insert into reference.outbox (payload) values ($1)", str(body))
    return {"id": number, **body}
