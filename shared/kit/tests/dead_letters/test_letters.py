"""What could not be applied is seen, replayed in order, or discarded; nothing else is held up for longer than declared."""

import base64
import random
from dataclasses import replace
from typing import Any

import pytest
from crm_contracts.ids import new_id
from crm_contracts.registry import Topic
from crm_kit.bus import Record
from crm_kit.bus.port import MAX_RECORD_BYTES
from crm_kit.dead_letters.gauge import LetterGauge
from crm_kit.outbox import OUTBOX, shard_of
from crm_testkit.effects import Effects, event_of, record_of
from crm_testkit.toy_service import NOTE, Note
from crm_testkit.toy_service.fixtures import Parts
from crm_testkit.writers import until

LETTERS = "/internal/dead-letters"
Lab = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_letter_tells_what_is_known_and_holds_the_record(lab: Lab) -> None:
    async with lab() as it:
        key = new_id("note")
        it.refused.add((key, 1))
        event = replace(event_of(it.tenant.id, key, 1), traceparent=TRACE)
        await it.publish(event)
        [letter] = await it.wait_for_letters(1)
        moments = {name: letter.pop(name) for name in ("created_at", "updated_at", "tried_at")}
        assert letter == {
            "id": letter["id"],
            "version": 1,
            "service": "toy",
            "stage": "consumer",
            "kind": "failed",
            "consumer": it.consumer,
            "topic": NOTE.name,
            "key": key,
            "event_id": event.id,
            "event_type": "crm.toy.note.created.v1",
            "subject": key,
            "traceparent": TRACE,
            "error": "ValueError: cannot take 1",
            "attempts": 3,
        }
        assert moments["updated_at"] == moments["tried_at"] >= moments["created_at"]
        answer = await it.tenant.client.get(f"{LETTERS}/{letter['id']}")
        assert answer.headers["etag"] == '"1"'
        assert answer.json() == letter | moments | {
            "headers": event.headers(),
            "payload": (event.value() or b"").decode(),
            "payload_encoding": "utf-8",
        }


async def test_where_events_wait_a_replay_applies_the_key_in_order_and_stops_at_the_next_failure(
    lab: Lab, effects: Effects
) -> None:
    async with lab("wait") as it:
        key = new_id("note")
        it.refused |= {(key, 2), (key, 4)}
        await it.publish(*[event_of(it.tenant.id, key, version) for version in range(1, 6)])
        newest_first = await it.wait_for_letters(4)
        assert [letter["kind"] for letter in newest_first] == ["waiting", "waiting", "waiting", "failed"]

        [*_, second] = newest_first
        result = await it.replay(second)
        assert result == {"outcome": "failed", "applied": 0, "remaining": 4, "error": "ValueError: cannot take 2"}
        [*_, second] = await it.letters()
        assert (second["attempts"], second["version"], second["kind"]) == (4, 2, "failed")
        assert (await effects.of(it.tenant.id))[key] == (1, 1)

        it.refused.discard((key, 2))
        result = await it.replay(newest_first[0])  # whichever of the key
        assert result == {"outcome": "failed", "applied": 2, "remaining": 2, "error": "ValueError: cannot take 4"}
        assert [(one["kind"], one["attempts"]) for one in await it.letters()] == [("waiting", 0), ("failed", 1)]

        it.refused.clear()
        result = await it.replay(newest_first[0])
        assert result == {"outcome": "applied", "applied": 2, "remaining": 0, "error": None}
        await it.publish(event_of(it.tenant.id, key, 6))
        await effects.wait(it.tenant.id, {key: 6})
        assert await effects.faults(it.tenant.id, {key: 6}) == {}
        assert await it.letters() == []


async def test_where_events_pass_later_ones_are_applied_and_the_older_then_changes_nothing(
    lab: Lab, effects: Effects
) -> None:
    async with lab("pass") as it:
        key = new_id("note")
        it.refused |= {(key, 2), (key, 3)}
        await it.publish(*[event_of(it.tenant.id, key, version) for version in range(1, 5)])
        third, second = await it.wait_for_letters(2)
        await effects.wait(it.tenant.id, {key: 4})
        assert (await effects.of(it.tenant.id))[key] == (4, 2)

        it.refused.discard((key, 3))
        assert (await it.replay(third))["outcome"] == "applied", "each for itself: none waits for another"
        assert (await it.replay(second))["outcome"] == "failed"
        it.refused.clear()
        assert await it.replay(second) == {"outcome": "applied", "applied": 1, "remaining": 0, "error": None}
        assert (await effects.of(it.tenant.id))[key] == (4, 2)
        assert await it.letters() == []


async def test_a_discarded_letter_lets_its_key_go_on_at_once(lab: Lab, effects: Effects) -> None:
    async with lab("wait") as it:
        key = new_id("note")
        it.refused |= {(key, 1), (key, 4)}
        await it.publish(*[event_of(it.tenant.id, key, version) for version in range(1, 6)])
        _, _, third, _, first = await it.wait_for_letters(5)
        await it.discard(third)
        assert await effects.of(it.tenant.id) == {}, "the first still bars the key"
        await it.discard(first)
        assert (await effects.of(it.tenant.id))[key] == (2, 1)
        assert [letter["kind"] for letter in await it.letters()] == ["waiting", "failed"], "the fourth bars it now"


@pytest.mark.parametrize("order", ["wait", "pass"])
async def test_whatever_fails_and_whenever_it_is_replayed_the_end_is_the_same(
    lab: Lab, effects: Effects, order: str
) -> None:
    """Events go on coming while letters of their keys are replayed, in any order and twice at a time."""
    async with lab(order) as it:
        chance = random.Random(order)
        keys = [new_id("note") for _ in range(12)]
        it.refused |= {(key, version) for key in keys for version in range(1, 5) if chance.random() < 0.3}
        poisoned = {key for key, _ in it.refused}
        await it.publish(*[event_of(it.tenant.id, key, version) for version in range(1, 5) for key in keys])
        await it.publish(event_of(it.tenant.id, "last", 1))
        await effects.wait(it.tenant.id, {"last": 1} | dict.fromkeys(set(keys) - poisoned, 4))
        it.refused.clear()
        for version in range(5, 9):
            await it.publish(*[event_of(it.tenant.id, key, version) for key in keys])
            for letter in chance.sample(found := await it.letters(), min(6, len(found))):
                answer = await it.tenant.client.post(f"{LETTERS}/{letter['id']}/replay")
                assert answer.status_code in (200, 404), answer.text

        async def nothing_is_left() -> bool:
            for letter in await it.letters():
                await it.tenant.client.post(f"{LETTERS}/{letter['id']}/replay")
            done = await effects.of(it.tenant.id)
            return all(done[key][0] == 8 for key in keys) and not await it.letters()

        await until(nothing_is_left)
        if order == "wait":
            assert await effects.faults(it.tenant.id, dict.fromkeys(keys, 8)) == {}, "each once, and in order"


async def test_what_this_release_does_not_know_is_parked_and_applied_by_the_one_that_does(
    lab: Lab, effects: Effects
) -> None:
    async with lab() as old:
        known, newer, strange, tenant = new_id("note"), new_id("note"), new_id("note"), old.tenant
        event = event_of(tenant.id, newer, 1)
        await old.publish(
            replace(event, type="crm.toy.note.created.v2"),
            event_of(tenant.id, newer, 2),
            replace(event_of(tenant.id, strange, 1), type="crm.toy.sketch.created.v1"),
            replace(event_of(tenant.id, known, 1), type="crm.toy.note.folded.v1"),
        )
        await effects.wait(tenant.id, {known: 1})
        letters = {(one["key"], one["kind"]): one for one in await old.wait_for_letters(3)}
        assert letters.keys() == {(newer, "unsupported"), (newer, "waiting"), (strange, "unsupported")}
        letter = letters[newer, "unsupported"]
        assert letter["error"] == "This release does not know 'crm.toy.note.created.v2'."
        assert (await old.replay(letter))["outcome"] == "failed"
    async with lab(consumer=old.consumer, topic=Topic("toy", "note", Note, version=2)) as new:
        new.tenant = new.service.tenant(tenant.id)
        assert await new.replay(letter) == {
            "outcome": "failed",
            "applied": 1,
            "remaining": 1,
            "error": "This release does not know 'crm.toy.note.updated.v1'.",
        }
        assert (await effects.of(tenant.id))[newer] == (1, 1)


async def test_what_passes_does_not_take_the_unknown_either(lab: Lab, effects: Effects) -> None:
    async with lab("pass") as it:
        key = new_id("note")
        await it.publish(
            replace(event_of(it.tenant.id, key, 1), type="crm.toy.note.created.v2"), event_of(it.tenant.id, key, 2)
        )
        await effects.wait(it.tenant.id, {key: 2})
        [letter] = await it.letters()
        assert letter["kind"] == "unsupported"


async def test_what_is_no_event_is_shown_to_the_tenant_that_it_names(lab: Lab) -> None:
    async with lab() as it:
        good = record_of(event_of(it.tenant.id, "note", 1))
        log = it.service.runtime.event_log
        await log.publish(
            [Record(NOTE.name, "garbled", b"\xff\x00", good.headers), Record(NOTE.name, "bare", b"{}", {})]
        )
        [letter] = await it.wait_for_letters(1, key="garbled")
        assert (letter["kind"], letter["attempts"]) == ("malformed", 1)
        found = await it.tenant.read(f"{LETTERS}/{letter['id']}")
        assert (found["payload"], found["payload_encoding"]) == (base64.b64encode(b"\xff\x00").decode(), "base64")
        assert len(await it.letters()) == 1


async def test_another_tenant_sees_and_does_nothing(lab: Lab) -> None:
    async with lab() as it:
        key = new_id("note")
        it.refused.add((key, 1))
        await it.publish(event_of(it.tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
        stranger, path = it.service.tenant(), f"{LETTERS}/{letter['id']}"
        assert (await stranger.read(LETTERS))["data"] == []
        answers = [
            await stranger.client.get(path),
            await stranger.client.post(f"{path}/replay"),
            await stranger.client.delete(path),
            await it.tenant.client.get(f"{LETTERS}/{new_id('dead_letter')}"),
            await it.tenant.client.get(f"{LETTERS}/%00"),
        ]
        assert {answer.status_code for answer in answers} == {404}
        for scope, found in (("read", 200), ("dead-letters:read", 200), ("notes:read", 403)):
            reader = it.service.tenant(it.tenant.id, scopes=frozenset({scope, "notes:write"})).client
            assert (await reader.get(path)).status_code == found
            refused = [await reader.post(f"{path}/replay"), await reader.delete(path)]
            missing = [answer.json()["missing_permission"] for answer in refused]
            assert missing == ["dead-letters:update", "dead-letters:delete"]
        assert (await it.service.anonymous().get(path)).status_code == 401
        assert len(await it.letters()) == 1
        document = (await it.service.anonymous().get("/openapi.json")).text
        assert "dead-letters" not in document


async def test_a_retried_replay_has_its_first_answer_and_a_stale_one_is_refused(lab: Lab) -> None:
    async with lab() as it:
        key = new_id("note")
        it.refused.add((key, 1))
        await it.publish(event_of(it.tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
        await it.replay(letter)
        path = f"{LETTERS}/{letter['id']}"
        for answer in (
            await it.tenant.client.post(f"{path}/replay", headers={"If-Match": '"1"'}),
            await it.tenant.client.delete(path, headers={"If-Match": '"1"'}),
        ):
            assert (answer.status_code, answer.json()["current_version"]) == (412, 2)
        it.refused.clear()
        headers = {"Idempotency-Key": "once", "If-Match": '"2"'}
        first = await it.tenant.client.post(f"{path}/replay", headers=headers)
        again = await it.tenant.client.post(f"{path}/replay", headers=headers)
        assert (first.json()["outcome"], again.json()) == ("applied", first.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert (await it.tenant.client.post(f"{path}/replay")).status_code == 404


async def test_letters_of_a_consumer_that_is_gone_can_only_be_discarded(lab: Lab) -> None:
    async with lab() as it:
        key, tenant = new_id("note"), it.tenant
        it.refused.add((key, 1))
        await it.publish(event_of(tenant.id, key, 1))
        [letter] = await it.wait_for_letters(1)
    async with lab() as other:
        client = other.service.tenant(tenant.id).client
        answer = await client.post(f"{LETTERS}/{letter['id']}/replay")
        assert (answer.status_code, answer.json()["code"]) == (409, "consumer_gone")
        assert (await client.delete(f"{LETTERS}/{letter['id']}")).status_code == 204


async def test_a_list_is_narrowed_and_walked_by_id(lab: Lab) -> None:
    async with lab() as it:
        keys = [new_id("note") for _ in range(5)]
        it.refused |= {(key, 1) for key in keys}
        await it.publish(*[event_of(it.tenant.id, key, version) for version in (1, 2) for key in keys])
        found = await it.wait_for_letters(10)
        assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
        assert await it.letters(limit=3, before=found[3]["id"]) == found[4:7]
        assert {one["key"] for one in await it.letters(kind="failed")} == set(keys)
        assert [one["kind"] for one in await it.letters(key=keys[0])] == ["waiting", "failed"]
        assert await it.letters(stage="outbox") == await it.letters(topic="crm.toy.other") == []


async def test_gauges_tell_how_many_letters_there_are_and_how_old_they_are(lab: Lab, parts: Parts) -> None:
    async with lab() as it:
        key = new_id("note")
        it.refused.add((key, 1))
        gauge = LetterGauge([it.consumer])

        async def told() -> tuple[float, float]:
            async with parts.system.read(None) as session:
                await gauge.measure(session, "toy")
            lines = (await it.service.anonymous().get("/metrics")).text.splitlines()
            labels = f'{{consumer="{it.consumer}",service="toy",stage="consumer"}} '
            values = {
                name: float(line.removeprefix(name + labels))
                for line in lines
                for name in ("crm_dead_letters", "crm_dead_letters_oldest_seconds")
                if line.startswith(name + labels)
            }
            return values["crm_dead_letters"], values["crm_dead_letters_oldest_seconds"]

        assert await told() == (0, 0)
        await it.publish(event_of(it.tenant.id, key, 1), event_of(it.tenant.id, key, 2))
        [_, letter] = await it.wait_for_letters(2)
        letters, oldest = await told()
        assert letters == 2
        assert 0 < oldest < 60
        it.refused.clear()
        await it.replay(letter)
        assert await told() == (0, 0)
        assert (
            f'consumer="{it.consumer}",outcome="applied",service="toy",stage="consumer"}} 1.0'
            in (await it.service.anonymous().get("/metrics")).text
        )


async def test_what_can_never_be_published_is_a_letter_of_the_outbox(lab: Lab, effects: Effects, parts: Parts) -> None:
    async with lab() as it:
        note = await it.tenant.create("/v1/notes", title="Long")
        await effects.wait(it.tenant.id, {note["id"]: 1})
        async with parts.app.write(it.tenant.id) as session:
            record = record_of(event_of(it.tenant.id, note["id"], 2))
            row = {
                "tenant_id": it.tenant.id,
                "shard": shard_of(note["id"]),
                "topic": NOTE.name,
                "key": note["id"],
                "headers": record.headers,
                "payload": b"x" * (MAX_RECORD_BYTES + 1),
            }
            await session.execute(OUTBOX.insert(), row)
        changed = await it.tenant.client.patch(f"/v1/notes/{note['id']}", json={"title": "Short"})
        assert changed.json()["version"] == 2

        async def letter_of_version(version: int) -> bool:
            found = (await it.tenant.read(LETTERS, stage="outbox"))["data"]
            return [one["version"] for one in found] == [version]

        await until(lambda: letter_of_version(1))
        [letter] = (await it.tenant.read(LETTERS))["data"]
        assert (letter["kind"], letter["consumer"], letter["key"]) == ("unpublishable", None, note["id"])
        assert "1,000,000" in letter["error"]
        assert await it.replay(letter) == {"outcome": "released", "applied": 0, "remaining": 0, "error": None}
        await until(lambda: letter_of_version(2))
        [again] = (await it.tenant.read(LETTERS))["data"]
        assert (again["id"], again["attempts"]) == (letter["id"], 2)
        await it.discard(again)
        await effects.wait(it.tenant.id, {note["id"]: 2})
        assert (await it.tenant.read(LETTERS))["data"] == []
