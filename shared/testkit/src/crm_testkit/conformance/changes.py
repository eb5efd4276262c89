"""Patches, and what happens when two clients change one entity."""

import asyncio

from crm_testkit.conformance.sample import Json, ResourceSuite, Subject, member, offering, with_member

_WRITERS = 20


class ChangeRules(ResourceSuite):
    @offering("create", "patch")
    async def test_a_patch_changes_what_it_names_and_nothing_else(self, subject: Subject) -> None:
        before = await subject.create()
        for number, media_type in enumerate(("application/json", "application/merge-patch+json; charset=utf-8")):
            entity = before if number == 0 else await subject.create()
            answer = await subject.client.request(
                "PATCH", subject.at(entity), json=subject.sample.patch, headers={"content-type": media_type}
            )
            after = answer.json()
            assert answer.status_code == 200, after
            assert (after["version"], answer.headers["etag"]) == (2, '"2"')
            assert answer.headers["consistency-token"] == f"{entity['id']}@2"
            assert after["updated_at"] > entity["updated_at"]
            assert after["created_at"] == entity["created_at"]
            assert await subject.tenant.read(subject.at(entity)) == after
        [_, event] = await subject.service.events(subject.sample.topic.name, key=before["id"], at_least=2)
        assert event.entity is not None
        same = set(before) - set(event.changed) - {"version", "updated_at"}
        assert {name: event.entity[name] for name in same} == {name: before[name] for name in same}

    @offering("create", "patch", clears=True)
    async def test_null_clears(self, subject: Subject) -> None:
        path = subject.sample.clears
        assert path is not None
        entity = await subject.create()
        assert member(entity, path) not in (None, [], {})
        answer = await subject.client.patch(subject.at(entity), json=with_member({}, path, None))
        assert answer.status_code == 200, answer.text
        assert member(answer.json(), path) in (None, [], {})

    @offering("create", "patch")
    async def test_a_patch_that_changes_nothing_is_no_version_and_no_event(self, subject: Subject) -> None:
        entity = await subject.create()
        for nothing in ({}, {name: entity[name] for name in subject.sample.patch if entity.get(name) is not None}):
            answer = await subject.client.patch(subject.at(entity), json=nothing)
            assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, entity, '"1"')
        assert (await subject.client.patch(subject.at(entity), json=subject.sample.patch)).json()["version"] == 2
        again = await subject.client.patch(subject.at(entity), json=subject.sample.patch)
        assert again.json()["version"] == 2
        events = await subject.service.events(subject.sample.topic.name, key=entity["id"], at_least=2)
        assert [event.sequence for event in events] == [1, 2]

    @offering("create", "patch")
    async def test_a_patch_that_cannot_be_is_refused_whole(self, subject: Subject) -> None:
        entity = await subject.create()
        client, address = subject.client, subject.at(entity)
        unknown = await client.patch(address, json={**subject.sample.patch, "no_such/member": 1})
        assert unknown.status_code == 422
        assert [error["pointer"] for error in unknown.json()["errors"]] == ["/no_such~1member"]
        for read_only in ("id", "version", "created_at", "updated_at"):
            answer = await client.patch(address, json={read_only: entity[read_only]})
            assert answer.status_code == 422, read_only
        for body in ("[]", '"text"', "7", "null", "true", ""):
            answer = await client.patch(address, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 422, body
        for media_type in ("application/json-patch+json", "text/plain", "application/x-www-form-urlencoded", ""):
            answer = await client.patch(address, content=b"{}", headers={"content-type": media_type})
            assert answer.status_code == 415, media_type
            assert "application/merge-patch+json" in answer.headers["accept-patch"]
        assert await subject.tenant.read(address) == entity

    @offering("create", "patch")
    async def test_if_match_guards_a_change(self, subject: Subject) -> None:
        entity = await subject.create()
        for tag, status in (('"2"', 412), ('W/"1"', 412), ('"0", "7"', 412), ("1", 400), ('"', 400)):
            answer = await subject.client.patch(
                subject.at(entity), json=subject.sample.patch, headers={"If-Match": tag}
            )
            assert answer.status_code == status, tag
            if status == 412:
                assert (answer.headers["etag"], answer.json()["current_version"]) == ('"1"', 1)
        assert await subject.tenant.read(subject.at(entity)) == entity
        for tag in ('"1"', "*", '"1", "2"'):
            answer = await subject.client.patch(
                subject.at(entity), json=subject.sample.patch, headers={"If-Match": tag}
            )
            assert answer.status_code == 200, tag

    @offering("create", "patch", counter=True)
    async def test_no_update_is_lost(self, subject: Subject) -> None:
        """Twenty clients each add one, reading and writing back under If-Match until it holds."""
        path = subject.sample.counter
        assert path is not None
        entity = await subject.create(with_member(subject.body(), path, 0))
        address = subject.at(entity)

        async def add_one() -> None:
            while True:
                seen = await subject.client.get(address)
                # The whole of the outermost member, as a client that edits a form would send it.
                outer = path.partition(".")[0]
                changed: Json = with_member(seen.json(), path, member(seen.json(), path) + 1)
                answer = await subject.client.patch(
                    address, json={outer: changed[outer]}, headers={"If-Match": seen.headers["etag"]}
                )
                if answer.status_code == 200:
                    return
                assert answer.status_code == 412, answer.text

        await asyncio.gather(*(add_one() for _ in range(_WRITERS)))
        last = await subject.tenant.read(address)
        assert (member(last, path), last["version"]) == (_WRITERS, _WRITERS + 1)
        events = await subject.service.events(subject.sample.topic.name, key=entity["id"], at_least=_WRITERS + 1)
        assert [event.sequence for event in events] == list(range(1, _WRITERS + 2))
        assert [member(event.entity, path) for event in events] == list(range(_WRITERS + 1))
