"""An entity's change and its event are one: in one transaction, numbered under the entity's lock, before the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import pytest
from crm_contracts.envelope import Event
from crm_testkit.service import ServiceUnderTest
from crm_testkit.toy_service import NOTE
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.toy_service.notes import NOTE_EVENTS, NOTES, NoteRow, snapshot
from crm_testkit.writers import change, make_notes


async def test_numbers_follow_the_locks_not_the_beginnings(parts: Parts, tenant_id: str) -> None:
    """The transaction that began first but got the lock last is numbered last."""
    [note_id] = await make_notes(parts.app, tenant_id, 1)
    async with parts.app.write(tenant_id) as early:
        await early.scalar(NoteRow.__table__.select().limit(1))  # type: ignore[attr-defined]  # begins the transaction
        later = asyncio.create_task(change(parts.app, tenant_id, [note_id], wait=0.1))
        await asyncio.sleep(0.05)
        row = await NOTES.lock(early, note_id)
        before = snapshot(row)
        row.title = "early"
        await NOTE_EVENTS.updated(early, row, before)
    await later
    rows = await parts.fetch("select headers::text from outbox where key = $1 order by id", note_id)
    assert [orjson.loads(row[0])["ce_sequence"] for row in rows] == ["1", "2", "3"]


async def test_nothing_is_published_of_what_is_rolled_back(parts: Parts, tenant_id: str) -> None:
    [note_id] = await make_notes(parts.app, tenant_id, 1)

    async def fail() -> None:
        async with parts.app.write(tenant_id) as session:
            row = await NOTES.lock(session, note_id)
            before = snapshot(row)
            row.title = "never"
            assert await NOTE_EVENTS.updated(session, row, before)
            raise RuntimeError("after the event")

    with pytest.raises(RuntimeError):
        await fail()
    [row] = await parts.fetch("select headers::text, payload from outbox where key = $1", note_id)
    assert Event.parse(orjson.loads(row[0]), row[1]).sequence == 1


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        ("custom", {"a": True}, {"a": 1}),
        ("custom", {"a": 1}, {"a": 1.5}),
        ("custom", {"a": 0}, {"a": False}),
        ("custom", {"a": "1"}, {"a": 1}),
        ("custom", {"a": [True]}, {"a": [1]}),
        ("price", {"amount": "1999.0", "currency": "CNY"}, {"amount": "1999.00", "currency": "CNY"}),
    ],
)
async def test_what_python_calls_equal_is_still_a_change(
    toy: ServiceUnderTest, name: str, first: object, then: object
) -> None:
    """One version has one representation: an ETag is strong, so `1999.0` is not `1999.00`."""
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="a", **{name: first})
    changed = (await tenant.client.patch(f"/v1/notes/{note['id']}", json={name: then})).json()
    assert (changed[name], changed["version"]) == (then, 2)
    read = await tenant.client.get(f"/v1/notes/{note['id']}")
    assert orjson.loads(read.content) == changed
    assert orjson.dumps(orjson.loads(read.content)[name]) == orjson.dumps(then)


async def test_a_null_under_custom_is_the_same_as_absent(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="a", custom={"gone": None, "kept": [None, 1]})
    assert note["custom"] == {"kept": [None, 1]}
    assert (await tenant.client.patch(f"/v1/notes/{note['id']}", json={"custom": {"gone": None}})).json() == note
    patched = await tenant.client.patch(f"/v1/notes/{note['id']}", json={"title": "b"})
    assert patched.json()["custom"] == note["custom"]
    [_, event] = await toy.events(NOTE.name, key=note["id"], at_least=2)
    assert event.changed == ("title",)


async def test_an_entity_too_large_for_an_event_is_refused(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    body = {"title": "a", "custom": {"a": "x" * 1_000_000}}
    answer = await tenant.client.post("/v1/notes", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert (await tenant.read("/v1/notes"))["data"] == []


@asynccontextmanager
async def _commit_fails(toy: ServiceUnderTest, sqlstate: str) -> AsyncIterator[None]:
    """Every COMMIT of a transaction that wrote a note called `doomed` fails, after all its statements succeeded."""
    owner = await asyncpg.connect(toy.urls.owner)
    try:
        await owner.execute(
            f"""
            create function refuse() returns trigger language plpgsql as $$ begin
              if new.title = 'doomed' then raise exception 'no' using errcode = '{sqlstate}'; end if;
              return null;
            end $$;
            create constraint trigger refuse after insert or update on note
              deferrable initially deferred for each row execute function refuse();
            """
        )
        yield
    finally:
        await owner.execute("drop trigger if exists refuse on note; drop function if exists refuse()")
        await owner.close()


@pytest.mark.parametrize(("sqlstate", "status"), [("P0001", 500), ("40001", 503), ("23505", 409)])
async def test_the_answer_waits_for_the_commit(toy: ServiceUnderTest, sqlstate: str, status: int) -> None:
    """Pins the transaction's end before the answer: a commit that fails is never answered with 201."""
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="a")
    async with _commit_fails(toy, sqlstate):
        key = {"Idempotency-Key": "again"}
        posted = await tenant.client.post("/v1/notes", json={"title": "doomed"}, headers=key)
        patched = await tenant.client.patch(f"/v1/notes/{note['id']}", json={"title": "doomed"})
        batch = {"operations": [{"method": "create", "data": {"title": title}} for title in ("fine", "doomed")]}
        batched = await tenant.client.post("/v1/notes/batch", json=batch)
        assert [answer.status_code for answer in (posted, patched, batched)] == [status] * 3
    assert (await tenant.read("/v1/notes"))["data"] == [note]
    retried = await tenant.client.post("/v1/notes", json={"title": "doomed"}, headers=key)
    assert (retried.status_code, "idempotent-replayed" in retried.headers) == (201, False)
    await toy.events(NOTE.name, key=retried.json()["id"])
    published = [event for event in await toy.events(NOTE.name) if event.tenant_id == tenant.id]
    assert sorted(event.subject for event in published) == sorted([note["id"], retried.json()["id"]])


async def test_two_who_want_the_same_unique_value_get_one_and_a_conflict(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    answers = await asyncio.gather(
        *(tenant.client.post("/v1/notes", json={"title": str(n), "mark": "only"}) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"conflict"}
    operations = [{"method": "create", "data": {"title": str(n), "mark": mark}} for n, mark in enumerate("abca")]
    results = (await tenant.client.post("/v1/notes/batch", json={"operations": operations})).json()["results"]
    assert [result["status"] for result in results] == [201, 201, 201, 409]
