"""States of entities over HTTP: told and published once more, to the gateway alone and within one tenant."""

from typing import Any

from crm_kit.states import digest_of
from crm_testkit.service import ServiceUnderTest
from hypothesis import given
from hypothesis import strategies as st

PATH = "/internal/entities"
TOPIC = "crm.toy.note"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(entity=st.dictionaries(st.text("abcdef", min_size=1), _JSON), absent=st.sampled_from([None, [], {}, ""]))
def test_a_digest_ignores_order_and_what_says_nothing(entity: dict[str, Any], absent: Any) -> None:
    shuffled = dict(reversed(entity.items()))
    assert digest_of({**shuffled, "later": absent}) == digest_of(entity)
    assert digest_of({**entity, "later": 1}) != digest_of(entity)
    assert digest_of({"in": [{**shuffled, "later": absent}]}) == digest_of({"in": [entity]})
    assert digest_of({"in": [{**entity, "later": 1}]}) != digest_of({"in": [entity]})


async def test_a_restated_entity_has_its_version_and_state_and_nothing_changed(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    note = await tenant.create("/v1/notes", title="一")
    await tenant.client.patch(f"/v1/notes/{note['id']}", json={"title": "二"})
    restated = await tenant.client.post(f"{PATH}/restate", json={"ids": [note["id"], "note_unknown"]})
    assert restated.json() == {"ids": [note["id"]]}

    events = await service.events(TOPIC, key=note["id"], at_least=3)
    assert [(event.action, event.sequence) for event in events] == [("created", 1), ("updated", 2), ("restated", 2)]
    assert (events[2].entity, events[2].time, events[2].changed) == (events[1].entity, events[1].time, ())
    told = (await tenant.client.post(f"{PATH}/states", json={"ids": [note["id"]]})).json()
    assert events[2].entity is not None
    assert told["data"] == [{"id": note["id"], "version": 2, "digest": digest_of(events[2].entity)}]


async def test_another_tenants_entities_are_neither_told_nor_restated(service: ServiceUnderTest) -> None:
    owner, other = service.tenant(), service.tenant()
    note = await owner.create("/v1/notes", title="一")
    ids = {"ids": [note["id"]]}
    assert (await other.client.post(f"{PATH}/states", json=ids)).json() == {"data": [], "unpublished": []}
    assert (await other.client.post(f"{PATH}/owned", json={"owners": [note["id"]]})).json()["data"] == []
    assert (await other.client.post(f"{PATH}/ids", json={"type": "note", "limit": 10})).json() == {"data": []}
    assert (await other.client.post(f"{PATH}/restate", json=ids)).json() == {"ids": []}
    assert [event.action for event in await service.events(TOPIC, key=note["id"])] == ["created"]


async def test_states_need_a_token_and_restating_the_permission_to_write(service: ServiceUnderTest) -> None:
    reader = service.tenant(scopes=frozenset({"read"}))
    assert (await reader.client.post(f"{PATH}/restate", json={"ids": []})).status_code == 403
    for what in ("states", "owned", "ids", "restate"):
        assert (await service.anonymous().post(f"{PATH}/{what}", json={})).status_code == 401
    too_many = {"ids": ["note_x"] * 101}
    assert (await reader.client.post(f"{PATH}/states", json=too_many)).status_code == 422


async def test_every_id_is_met_once_page_by_page(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    made = sorted([(await tenant.create("/v1/notes", title=str(n)))["id"] for n in range(5)])
    met: list[str] = []
    while page := (
        await tenant.client.post(f"{PATH}/ids", json={"type": "note", "limit": 2, "after": met[-1] if met else ""})
    ).json()["data"]:
        met += page
    assert met == made
    some = {"type": "note", "limit": 3, "random": True}
    chosen = (await tenant.client.post(f"{PATH}/ids", json=some)).json()["data"]
    assert len(set(chosen)) == 3
    assert set(chosen) <= set(made)
