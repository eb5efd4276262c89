"""A batch does what its operations would do one after the other."""

from typing import Any

from crm_testkit.service import ServiceUnderTest, Tenant
from hypothesis import given, settings
from hypothesis import strategies as st

_EMAILS = st.lists(st.sampled_from(["a@x.com", "b@x.com", "C@x.com", "c@x.com"]), min_size=1, max_size=2, unique=True)
_PHONES = st.lists(st.sampled_from(["+8613800138000", "138 0013 8001"]), max_size=1)
_DATA = st.fixed_dictionaries(
    {"emails": _EMAILS.map(lambda all_: [{"address": one} for one in all_])},
    optional={
        "phones": _PHONES.map(lambda all_: [{"number": one} for one in all_]),
        "title": st.sampled_from(["甲", "乙"]),
        "external_ids": st.sampled_from([{"erp": "1"}, {"erp": "2"}, {}]),
    },
)
_OPERATION = st.one_of(
    st.fixed_dictionaries({"method": st.just("create"), "data": _DATA}),
    st.fixed_dictionaries(
        {"method": st.just("upsert"), "match": st.sampled_from(["email", "phone", "external_id"]), "data": _DATA}
    ),
    st.fixed_dictionaries({"method": st.just("update"), "first": st.integers(0, 2), "data": _DATA}),
)


_BATCHES = st.lists(_OPERATION, min_size=1, max_size=8) | st.lists(
    # Where one is not valid, each runs by itself.
    _OPERATION | st.just({"method": "create", "data": {"wechat": 7}}),
    min_size=2,
    max_size=4,
)


async def _batch(tenant: Tenant, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = await tenant.client.post("/v1/contacts/batch", json={"operations": operations})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def _begun(service: ServiceUnderTest) -> tuple[Tenant, list[str]]:
    """A tenant with three contacts, and their ids."""
    tenant = service.tenant()
    made = await _batch(
        tenant, [{"method": "create", "data": {"emails": [{"address": f"{name}@x.com"}]}} for name in "abz"]
    )
    return tenant, [result["id"] for result in made]


def _named(operation: dict[str, Any], ids: list[str]) -> dict[str, Any]:
    if "first" not in operation:
        return operation
    return {"method": "update", "id": ids[operation["first"]], "data": operation["data"]}


async def _state(tenant: Tenant) -> list[dict[str, Any]]:
    """All contacts, without what differs between two tenants."""
    page = await tenant.read("/v1/contacts", limit=200)
    different = {"id", "created_at", "updated_at"}
    kept = [{name: value for name, value in one.items() if name not in different} for one in page["data"]]
    return sorted(kept, key=repr)


def _told(results: list[dict[str, Any]]) -> list[tuple[int, int | None, str | None]]:
    return [(one["status"], one.get("version"), (one.get("error") or {}).get("code")) for one in results]


async def test_together_equals_one_by_one(service: ServiceUnderTest) -> None:
    """Over random operations that look up, change and take each other's keys."""
    examples: list[list[dict[str, Any]]] = []

    @given(_BATCHES)
    @settings(max_examples=80, deadline=None, database=None)
    def draw(operations: list[dict[str, Any]]) -> None:
        examples.append(operations)

    draw()
    pairs: list[tuple[str, str]] = []
    for operations in examples:
        (together, ids), (apart, other_ids) = [await _begun(service) for _ in range(2)]
        told = await _batch(together, [_named(one, ids) for one in operations])
        one_by_one = [result for one in operations for result in await _batch(apart, [_named(one, other_ids)])]
        assert _told(told) == _told(one_by_one), operations
        assert await _state(together) == await _state(apart), operations
        pairs.append((together.id, apart.id))
    published: dict[str, list[tuple[int, str]]] = {}
    for event in await service.events("crm.contacts.contact"):
        published.setdefault(event.tenant_id, []).append((event.sequence, event.action))
    for one, other in pairs:
        assert sorted(published[one]) == sorted(published[other])
