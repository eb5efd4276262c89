"""What lists, batches and patches promise beyond the conformance suite."""

import asyncio
from typing import Any

import pytest
from crm_kit.http import merge_patch
from crm_testkit.service import ServiceUnderTest
from crm_testkit.toy_service import NOTE
from hypothesis import given
from hypothesis import strategies as st


async def test_a_cursor_of_long_texts_is_good_for_a_search_too(toy: ServiceUnderTest) -> None:
    """A cursor holds the texts that are sorted by: 200 characters of four bytes, and as many as a text may have."""
    tenant = toy.tenant()
    for n in range(3):
        await tenant.create("/v1/notes", title=f"{n}" + "𠮷" * 199, text=f"{n}" + "𠮷" * 900)
    body: dict[str, Any] = {"sort": ["title", "-text"], "limit": 1}
    seen = []
    while True:
        answer = await tenant.client.post("/v1/notes/search", json=body)
        assert answer.status_code == 200, answer.text
        seen += [row["title"][0] for row in answer.json()["data"]]
        body["cursor"] = answer.json()["next_cursor"]
        if body["cursor"] is None:
            break
        assert len(body["cursor"]) > 4000
    assert seen == ["0", "1", "2"]


async def test_rows_without_a_value_come_last_and_are_walked_too(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    sizes = [3, None, 1, None, 2, None, 1]
    for size in sizes:
        await tenant.create("/v1/notes", title="a", size=size)
    for sort, expected in (("size", [1, 1, 2, 3, None, None, None]), ("-size", [3, 2, 1, 1, None, None, None])):
        seen: list[int | None] = []
        page = await tenant.read("/v1/notes", sort=sort, limit=2)
        while True:
            seen += [row["size"] for row in page["data"]]
            if page["next_cursor"] is None:
                break
            page = await tenant.read("/v1/notes", sort=sort, limit=2, cursor=page["next_cursor"])
        assert seen == expected


async def test_a_filter_given_twice_asks_for_both(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    both = await tenant.create("/v1/notes", title="both", tags=["a", "b"])
    await tenant.create("/v1/notes", title="one", tags=["a"])
    answer = await tenant.client.get("/v1/notes", params=[("tag", "a"), ("tag", "b")])
    assert answer.json()["data"] == [both]
    for name, value in (("count", "x"), ("count", "1.5"), ("size", "9" * 30), ("price", "NaN")):
        assert (await tenant.client.get("/v1/notes", params={name: value})).status_code == 422, (name, value)


@pytest.mark.parametrize("bad", [None, 0, 49, 50, 119])
async def test_a_batch_gives_the_same_whether_rows_fail_or_not(toy: ServiceUnderTest, bad: int | None) -> None:
    """Operations run together until one fails; then those are run again, each by itself, with the same outcome."""
    tenant = toy.tenant()
    operations = []
    for n in range(120):
        data = {"title": f"Note {n}", "mark": f"m{n // 2}", **({"nothing": 1} if n == bad else {})}
        operations.append({"method": "upsert", "match": "mark", "data": data})
    answer = await tenant.client.post("/v1/notes/batch", json={"operations": operations})
    statuses = [result["status"] for result in answer.json()["results"]]
    expected = [201, 200] * 60
    if bad is not None:
        expected[bad] = 422
        if bad % 2 == 0:
            expected[bad + 1] = 201
    assert statuses == expected
    rows = (await tenant.read("/v1/notes", limit=200))["data"]
    assert len(rows) == 60
    ids = {row["id"] for row in rows}
    published = [event for event in await toy.events(NOTE.name, at_least=0) if event.tenant_id == tenant.id]
    assert {event.subject for event in published} <= ids, "nothing of what was undone is published"


async def test_batches_that_meet_wait_for_one_another(toy: ServiceUnderTest) -> None:
    """Two batches over the same notes in opposite order: one may have to be sent again, neither is half done."""
    tenant = toy.tenant()
    ids = [(await tenant.create("/v1/notes", title="a"))["id"] for _ in range(20)]

    async def update(order: list[str], title: str) -> int:
        operations = [{"method": "update", "id": note, "data": {"title": title}} for note in order]
        while True:
            answer = await tenant.client.post("/v1/notes/batch", json={"operations": operations})
            if answer.status_code != 503:
                return answer.status_code
            await asyncio.sleep(0.05)

    assert set(await asyncio.gather(update(ids, "one"), update(ids[::-1], "two"))) == {200}
    titles = {row["title"] for row in (await tenant.read("/v1/notes", limit=200))["data"]}
    assert len(titles) == 1


async def test_several_lines_of_if_match_are_one_list(toy: ServiceUnderTest) -> None:
    tenant = toy.tenant()
    note = await tenant.create("/v1/notes", title="a")
    lines = [("If-Match", '"7"'), ("If-Match", '"1"')]
    assert (await tenant.client.patch(f"/v1/notes/{note['id']}", json={"title": "b"}, headers=lines)).status_code == 200
    lines = [("If-None-Match", '"7"'), ("If-None-Match", '"2"')]
    assert (await tenant.client.get(f"/v1/notes/{note['id']}", headers=lines)).status_code == 304


members = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5) | st.lists(st.booleans()),
    max_size=4,
)


@given(members, members)
def test_a_patch_of_custom_members_is_rfc_7396(state: dict[str, object], patch: dict[str, object]) -> None:
    merged = merge_patch.apply({"custom": state}, {"custom": patch})
    assert merged == {
        "custom": {
            **{name: value for name, value in state.items() if name not in patch},
            **{name: value for name, value in patch.items() if value is not None},
        }
    }
