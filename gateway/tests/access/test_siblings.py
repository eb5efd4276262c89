"""What the gateway's memories tell the other processes of its port, and what those make of it."""

import asyncio
import gc
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_contracts.custom_fields import CustomField
from crm_contracts.ids import ApiKeyId, ContactId, TenantId, UserId
from crm_contracts.inbound import InboundSource
from crm_kit.custom_fields.declared import Declared
from crm_kit.http.principal import Principal
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_kit.siblings import Siblings
from crm_testkit.issuer import ec_key
from gateway.access.issuer_keys import IssuerKeys
from gateway.access.known_keys import KnownKey, KnownKeys
from gateway.access.memory import Memory
from gateway.features.inbound_deliveries.known_sources import KnownSource, KnownSources
from gateway.recent_writes import RecentWrites

_EXAMPLES = Path(__file__).parents[3] / "shared/contracts/examples"
_ISSUER = "https://login.example.com"

Ask = Callable[[Any], Any]


@contextmanager
def sibling(make: Callable[[Siblings], Ask]) -> Iterator[tuple[Siblings, Ask]]:
    """A process beside this one. It hears before each question, as before a request; `make` gives what answers there."""
    siblings = Siblings(2)
    here, there = multiprocessing.Pipe()

    def run() -> None:
        answer = make(siblings)
        there.send("ready")
        while True:
            question = there.recv()
            siblings.hear()
            there.send(answer(question))

    def ask(question: Any) -> Any:
        here.send(question)
        assert here.poll(30), "it has ended"
        return here.recv()

    siblings.fork(run)
    gc.unfreeze()
    try:
        assert here.poll(30), "it has ended"
        assert here.recv() == "ready"
        yield siblings, ask
    finally:
        siblings.close()


def _entity(kind: str) -> Any:
    return json.loads((_EXAMPLES / f"crm.{kind}.created.v1.json").read_text())["value"]["entity"]


def _rights() -> Rights:
    """Of somebody whose rights have been used since they were compiled."""
    where = {"field": "city", "op": "eq", "value": "杭州"}
    grant = Grant(frozenset({"contacts"}), frozenset({"read"}), "team", {"personal": "masked"}, where)
    rights = Rights(UserId.new(), ["team_1"], [grant], admin=False, colleagues=frozenset({UserId.new()}))
    assert rights.may("contacts", "read")
    assert rights.text
    return rights


def _declared() -> dict[str, Declared]:
    declared = Declared([CustomField.model_validate(_entity("contacts.custom_field"))])
    assert declared.classes
    return {"contact": declared}


@pytest.mark.parametrize(
    "value",
    [
        KnownKey(Principal("user_1", TenantId.new(), "CN", frozenset({"read"}), _rights(), "key_1"), datetime.now(UTC)),
        _declared(),
        None,
    ],
    ids=["credential", "declared fields", "nothing"],
)
async def test_what_one_looks_up_the_other_knows(value: Any) -> None:
    async def find() -> Any:
        return value

    async def nobody() -> Any:
        raise AssertionError("it is known")

    def make(siblings: Siblings) -> Ask:
        memory: Memory[bytes, Any] = Memory(time.monotonic, siblings, "test")
        return lambda key: asyncio.run(memory.get(key, nobody))

    with sibling(make) as (siblings, ask):
        memory: Memory[bytes, Any] = Memory(time.monotonic, siblings, "test")
        await memory.get(b"key", find)
        assert ask(b"key") == value


async def test_an_older_look_up_does_not_unsay_a_newer_one() -> None:
    """Two at once: whoever began later knows better, whoever ends first."""
    began, slow = asyncio.Event(), asyncio.Event()

    async def find() -> str:
        began.set()
        await slow.wait()
        return "old"

    def make(siblings: Siblings) -> Ask:
        memory: Memory[str, str] = Memory(time.monotonic, siblings, "test")

        async def answer(look_up: str) -> str | None:
            async def find_new() -> str:
                return "new"

            return await memory.get("key", find_new) if look_up else memory.peek("key")

        return lambda look_up: asyncio.run(answer(look_up))

    with sibling(make) as (siblings, ask):
        memory: Memory[str, str] = Memory(time.monotonic, siblings, "test")
        looking = asyncio.create_task(memory.get("key", find))
        await began.wait()
        assert ask("look up") == "new"
        slow.set()
        assert await looking == "old", "to whom asked before"
        assert ask("") == "new"
        siblings.hear()
        assert memory.peek("key") == "new"


async def test_who_cannot_hear_any_more_what_was_told_looks_up_anew() -> None:
    async def find() -> str:
        return "told"

    async def nobody() -> None:
        return None

    def make(siblings: Siblings) -> Ask:
        memory: Memory[str, str] = Memory(time.monotonic, siblings, "test")
        return lambda key: asyncio.run(memory.get(key, nobody))

    with sibling(make) as (siblings, ask):
        memory: Memory[str, str] = Memory(time.monotonic, siblings, "test")
        await memory.get("key", find)
        assert ask("key") == "told"
        tell = siblings.channel("another", lambda _: None, lambda: None)
        for _ in range(12):
            tell("x" * 500_000)
        assert ask("key") is None
        await memory.get("next", find)
        assert ask("next") == "told"


async def test_a_revoked_key_is_refused_by_the_other() -> None:
    key_id = ApiKeyId.new()

    async def find() -> KnownKey:
        return KnownKey(Principal(key_id, TenantId.new()), None)

    def make(siblings: Siblings) -> Ask:
        keys = KnownKeys(time.monotonic, siblings)
        return lambda mark: (keys.peek(mark), asyncio.run(keys.get(mark, find)))

    with sibling(make) as (siblings, ask):
        keys = KnownKeys(time.monotonic, siblings)
        await keys.get(b"mark", find)
        assert all(ask(b"mark"))
        keys.revoke(key_id)
        assert ask(b"mark") == (None, None)


def test_what_one_passes_on_the_other_waits_for_until_it_was_seen() -> None:
    tenant_id, contact_id = TenantId.new(), ContactId.new()

    def make(siblings: Siblings) -> Ask:
        recent = RecentWrites(time.monotonic, siblings)
        return lambda _: (dict(recent.of(tenant_id, contact_id)), dict(recent.by(tenant_id, "user_1")))

    with sibling(make) as (siblings, ask):
        recent = RecentWrites(time.monotonic, siblings)
        for version in (2, 1):
            recent.note(tenant_id, f"{contact_id}@{version}", orjson.dumps({"id": contact_id}), "user_1")
        assert ask(None) == ({contact_id: 2}, {contact_id: 2}), "the newest, in whatever order they were answered"
        recent.seen(tenant_id, contact_id, {contact_id: 2})
        assert ask(None) == ({}, {contact_id: 2})
        recent.seen_by(tenant_id, "user_1", {contact_id: 2})
        assert ask(None) == ({}, {})


async def test_one_reads_an_issuers_keys_for_both() -> None:
    key = ec_key()

    async def published(url: str, **_: object) -> bytes:
        if url.endswith("/jwks"):
            return json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        return json.dumps({"issuer": _ISSUER, "jwks_uri": f"{_ISSUER}/jwks"}).encode()

    async def nobody(_url: str, **_: object) -> bytes:
        raise AssertionError("it was read")

    def make(siblings: Siblings) -> Ask:
        keys = IssuerKeys(nobody, time.monotonic, siblings=siblings)
        return lambda key_id: [one.kid for one in asyncio.run(keys.find(_ISSUER, key_id))]

    with sibling(make) as (siblings, ask):
        keys = IssuerKeys(published, time.monotonic, siblings=siblings)
        assert await keys.find(_ISSUER, key.kid)
        assert ask(key.kid) == [key.kid]


async def test_who_needs_keys_that_the_other_is_reading_waits_for_them() -> None:
    key, may_answer = ec_key(), asyncio.Event()

    async def published(url: str, **_: object) -> bytes:
        await may_answer.wait()
        if url.endswith("/jwks"):
            return json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        return json.dumps({"issuer": _ISSUER, "jwks_uri": f"{_ISSUER}/jwks"}).encode()

    async def nobody(_url: str, **_: object) -> bytes:
        raise AssertionError("it is being read")

    def make(siblings: Siblings) -> Ask:
        keys = IssuerKeys(nobody, time.monotonic, siblings=siblings)

        async def answer(key_id: str) -> list[str | None]:
            siblings.open(lambda _kind, _handed: None, lambda _index: None)
            return [one.kid for one in await keys.find(_ISSUER, key_id)]

        return lambda key_id: asyncio.run(answer(key_id))

    with sibling(make) as (siblings, ask):
        keys = IssuerKeys(published, time.monotonic, siblings=siblings)
        reading = asyncio.create_task(keys.find(_ISSUER, key.kid))
        await asyncio.sleep(0)
        asking = asyncio.create_task(asyncio.to_thread(ask, key.kid))
        await asyncio.sleep(0.2)
        assert not asking.done()
        may_answer.set()
        assert await reading
        assert await asking == [key.kid]


async def test_an_inbound_source_with_its_secrets_is_known_to_both() -> None:
    source = InboundSource.model_validate(_entity("gateway.inbound_source"))
    known = KnownSource(TenantId.new(), "CN", source, ({"secret": "s"},), None)

    async def find(_source_id: str) -> KnownSource | None:
        return known

    async def nobody(_source_id: str) -> KnownSource | None:
        raise AssertionError("it is known")

    def make(siblings: Siblings) -> Ask:
        sources = KnownSources(nobody, time.monotonic, siblings)
        return lambda source_id: asyncio.run(sources.get(source_id))

    with sibling(make) as (siblings, ask):
        sources = KnownSources(find, time.monotonic, siblings)
        await sources.get(source.id)
        assert ask(source.id) == known
