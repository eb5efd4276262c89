"""Creating, reading and deleting one entity, and the events of it."""

import re

import httpx
import orjson
import pytest
from sqlalchemy import func, select

from crm_testkit.conformance.isolation import connected
from crm_testkit.conformance.sample import ResourceSuite, Subject, member, offered, offering

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


_OF_ITS_OWN = frozenset({"date", "x-request-id", "traceparent", "ratelimit"})


def told(answer: httpx.Response) -> tuple[int, dict[str, str], object]:
    """What does not differ from request to request."""
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_ITS_OWN}
    body = orjson.loads(answer.content) if answer.content else None
    if isinstance(body, dict):
        body.pop("trace_id", None)
    return answer.status_code, headers, body


class EntityRules(ResourceSuite):
    @offering("create", "get")
    async def test_a_creation_answers_with_everything(self, subject: Subject) -> None:
        answer = await subject.client.post(subject.path, json=subject.body())
        assert answer.status_code == 201
        entity = subject.as_read(answer.json())
        assert answer.headers["location"] == subject.at(entity)
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["consistency-token"] == f"{entity['id']}@1"
        assert entity["version"] == 1
        assert entity["id"].startswith(f"{subject.sample.prefix}_")
        assert all(_TIME.fullmatch(entity[name]) for name in ("created_at", "updated_at"))
        model = subject.sample.topic.model
        assert entity == model.model_validate(entity).model_dump(mode="json"), "not the contract's JSON"

        read = await subject.client.get(answer.headers["location"])
        assert (read.status_code, read.json(), read.headers["etag"]) == (200, entity, '"1"')

    @offering("create", "get")
    async def test_what_the_client_has_is_not_sent_again(self, subject: Subject) -> None:
        address = subject.at(await subject.create())
        for tag, status in (('"1"', 304), ('W/"1"', 304), ("*", 304), ('"0", "1"', 304), ('"2"', 200), ("1", 200)):
            answer = await subject.client.get(address, headers={"If-None-Match": tag})
            assert (answer.status_code, answer.headers["etag"]) == (status, '"1"'), tag
            assert (answer.content == b"") is (status == 304), tag

    @offering("create", "get")
    async def test_the_fast_path_answers_like_the_ordinary_one(self, subject: Subject) -> None:
        """A request with a Range, which nobody here heeds, takes the ordinary one."""
        address = subject.at(await subject.create())
        nobodys = subject.at(f"{subject.sample.prefix}_01jd3zq8w9e2vbx7k5m4n6p8qr")
        other = subject.service.tenant().client
        scoped = subject.service.tenant(subject.tenant.id, scopes=frozenset({"write"})).client
        for client in (subject.client, other, scoped):
            for path in (address, nobodys):
                for tag in (None, '"1"', '"2"', "*", "malformed"):
                    headers = {"If-None-Match": tag} if tag is not None else {}
                    fast = await client.get(path, headers=headers)
                    ordinary = await client.get(path, headers={**headers, "Range": "bytes=0-"})
                    assert told(fast) == told(ordinary), (path, tag)

    @offering("get")
    async def test_a_record_can_be_read_by_one_statement(self, subject: Subject) -> None:
        if not self.manifest.serves_openapi:
            pytest.skip("what the gateway has of its own is seldom read")
        [events] = [one for one in self.manifest.publishes if one.topic is subject.sample.topic]
        reader = f"read_{events.row.__tablename__}(text,text[])"
        async with subject.service.runtime.database.read(subject.tenant.id) as session:
            known = await session.scalar(select(func.to_regprocedure(reader).is_not(None)))
        assert known, f"{reader} is missing: call add_readers in the migration that makes its table"

    @pytest.mark.parametrize(
        "hostile",
        [
            "{prefix}_01jd3zq8w9e2vbx7k5m4n6p8qr",
            "other_01jd3zq8w9e2vbx7k5m4n6p8qr",
            "%00",
            "a%00b",
            "%F0%9F%98%80",
            "%FF%FE",
            "不存在",
            "x" * 4000,
            "'%20or%201=1",
            "%25",
            "..%2f..%2fetc",
            "{prefix}_01JD3ZQ8W9E2VBX7K5M4N6P8QR",
        ],
    )
    @offering("get")
    async def test_an_id_of_nothing_is_not_found(self, subject: Subject, hostile: str) -> None:
        address = subject.at(hostile.replace("{prefix}", subject.sample.prefix))
        answers = [await subject.client.get(address)]
        operations = (await subject.service.anonymous().get("/openapi.json")).json()["paths"]
        item = operations[f"{subject.sample.path}/{{entity_id}}"]
        if "patch" in item:
            answers.append(await subject.client.patch(address, json=subject.sample.patch))
        if "delete" in item:
            answers.append(await subject.client.delete(address))
        assert {answer.status_code for answer in answers} == {404}

    @offering("create", "patch", "delete")
    async def test_every_change_is_one_event_with_the_whole_state(self, subject: Subject) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        created = await subject.create()
        answer = await subject.client.patch(
            subject.at(created),
            json=subject.sample.patch,
            headers={
                "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                "X-Request-Id": "order-4711",
                "Relata-Correlation-Id": "beginning",
                "Relata-Causation-Id": "event_before",
                "Relata-Hops": "2",
            },
        )
        assert answer.headers["x-request-id"] == "order-4711"
        assert answer.headers["traceparent"].split("-")[1] == trace
        assert (await subject.client.delete(subject.at(created))).status_code == 204

        sample = subject.sample
        first, second, third, tombstone = await subject.service.events(sample.topic.name, key=created["id"], at_least=4)
        assert [event.sequence for event in (first, second, third, tombstone)] == [1, 2, 3, 3]
        assert first.type == sample.topic.event_type(sample.created)
        assert third.type == tombstone.type == sample.topic.event_type("deleted")
        assert (first.entity, second.entity) == (created, answer.json())
        assert third.entity is not None
        assert tombstone.entity is None
        assert set(sample.patch) <= set(second.changed) <= set(created) - {"id", "version", "updated_at"}
        assert {**third.entity, "version": 2, "updated_at": answer.json()["updated_at"]} == answer.json()
        assert second.traceparent is not None
        assert second.traceparent.split("-")[1] == trace
        assert (second.correlation_id, second.causation_id) == ("beginning", "event_before")
        at_the_door = sample.topic.service == "gateway"  # where a chain that comes back counts one more
        assert second.hops == 2 + at_the_door
        assert (first.causation_id, first.hops) == (None, 0)
        assert first.traceparent is not None
        assert first.correlation_id == first.traceparent.split("-")[1]
        assert len({event.id for event in (first, second, third, tombstone)}) == 4
        for event in (first, second, third, tombstone):
            assert (event.tenant_id, event.subject) == (subject.tenant.id, created["id"])
            assert event.source == f"/relata/{sample.topic.service}"
            assert event.actor_id == "key_test"
            assert event.headers()["ce_specversion"] == "1.0"

    @offering("create", "delete")
    async def test_every_change_is_told_in_the_audit_log(self, subject: Subject) -> None:
        created = await subject.create()
        if "patch" in offered(subject.service.manifest, subject.sample.path):
            assert (await subject.client.patch(subject.at(created), json=subject.sample.patch)).status_code == 200
        assert (await subject.client.delete(subject.at(created))).status_code == 204
        told = []
        async with connected(subject.service.urls.app, subject.tenant.id) as connection:
            for table in ("audit_unsealed", "audit_entry"):
                found = f"select * from {table} where entity_id = $1 and action <> 'read'"
                told += await connection.fetch(found, created["id"])
        told = sorted({row["id"]: row for row in told}.values(), key=lambda row: row["id"])
        assert [row["version"] for row in told] == list(range(1, len(told) + 1))
        assert (told[0]["action"], told[-1]["action"]) == (subject.sample.created, "deleted")
        assert {(row["resource"], row["actor"]) for row in told} == {(subject.sample.topic.entity, "key_test")}
        made, gone = orjson.loads(told[0]["changes"]), orjson.loads(told[-1]["changes"])
        assert made.keys() <= created.keys()
        assert all("after" in change or "after_omitted" in change for change in made.values())
        assert all("before" in change or "before_omitted" in change for change in gone.values())

    @offering("create", "delete")
    async def test_what_is_deleted_is_gone(self, subject: Subject) -> None:
        entity, other = await subject.create(), await subject.create()
        assert (await subject.client.delete(subject.at(entity), headers={"If-Match": '"9"'})).status_code == 412
        answer = await subject.client.delete(subject.at(entity), headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["consistency-token"] == f"{entity['id']}@2"
        assert (await subject.client.get(subject.at(entity))).status_code == 404
        assert (await subject.client.delete(subject.at(entity))).status_code == 404
        listed = await subject.tenant.read(subject.path, limit=200)
        assert entity["id"] not in {row["id"] for row in listed["data"]}
        assert await subject.tenant.read(subject.at(other)) == other

    @offering("create", "get")
    async def test_text_comes_back_as_it_was_sent(self, subject: Subject) -> None:
        for text in (
            "王小明 👩‍👩‍👧 e\u0301",
            "'; drop table x; --",
            "<script>",
            '\\u0000 \\ " %_',
            "\u202eabc\ufeff",
            "𝒳",
        ):
            entity = await subject.create(subject.with_text(text))
            assert member(entity, subject.sample.text) == text
            assert member(await subject.tenant.read(subject.at(entity)), subject.sample.text) == text
