"""The list of an endpoint's deliveries is asked, sorted and paged as every other list is."""

from crm_testkit.webhooks import Hooks, place


async def test_deliveries_are_filtered_sorted_and_paged_as_all_lists_are(hooks: Hooks) -> None:
    made = await hooks.subscribe()
    teams = [await hooks.team(f"队 {number}") for number in range(3)]
    await hooks.rename(teams[0], "改名")
    await hooks.delivered(made, 4)
    path = f"{place(made)}/deliveries"
    pages, query = [], {"limit": "3", "sort": "created_at"}
    first = await hooks.client.get(path, params=query)
    pages.append(first.json())
    second = await hooks.client.get(first.links["next"]["url"])
    pages.append(second.json())
    assert [len(page["data"]) for page in pages] == [3, 1]
    assert pages[1]["next_cursor"] is None
    moments = [one["created_at"] for page in pages for one in page["data"]]
    assert moments == sorted(moments)
    [renamed] = (await hooks.get(path, kind="crm.gateway.team.updated.v1"))["data"]
    assert renamed["subject"] == teams[0]["id"]
    assert (await hooks.get(path, event_id=renamed["event_id"]))["data"] == [renamed]
    assert len((await hooks.get(path, subject=teams[0]["id"], status="delivered"))["data"]) == 2


async def test_what_is_no_filter_sort_or_cursor_of_deliveries_is_refused(hooks: Hooks) -> None:
    path = f"{place(await hooks.subscribe())}/deliveries"
    for query, pointer in (
        ({"colour": "red"}, "?colour"),
        ({"status": "no_such"}, "?status"),
        ({"sort": "log"}, "?sort"),
        ({"limit": "0"}, "?limit"),
    ):
        answer = await hooks.client.get(path, params=query)
        assert answer.status_code == 422, (query, answer.text)
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert (await hooks.client.get(path, params={"cursor": "x"})).json()["code"] == "invalid_cursor"


async def test_a_delivery_has_a_version_and_is_its_own_endpoint_s(hooks: Hooks) -> None:
    made, other = await hooks.subscribe(), await hooks.subscribe(kinds=["deal.*"])
    await hooks.team("一")
    [delivery] = await hooks.delivered(made, 1)
    path = f"{place(made)}/deliveries/{delivery['id']}"
    answer = await hooks.client.get(path)
    assert answer.headers["ETag"] == f'"{delivery["version"]}"'
    assert (await hooks.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})).status_code == 304
    assert (await hooks.client.get(path.replace(made["id"], other["id"]))).status_code == 404
