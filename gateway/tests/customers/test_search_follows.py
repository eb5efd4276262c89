"""What is found follows what is written: at once, through merges, archives and erasures, a rebuild, and for what was there before."""

import asyncio
from typing import Any

import httpx
import pytest
from crm_contracts.ids import TenantId
from crm_testkit.customer_world import World
from gateway.features.customers.projection import project
from sqlalchemy import text

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""


async def search(client: httpx.AsyncClient, q: str, **parameters: Any) -> Any:
    token = parameters.pop("token", None)
    headers = {"Consistency-Token": token} if token else {}
    answer = await client.get("/v1/customers", params={"q": q, **parameters}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(client: httpx.AsyncClient, q: str, **parameters: Any) -> list[str]:
    return [item["id"] for item in (await search(client, q, **parameters))["data"]]


async def apply(stack: Stack, world: World) -> None:
    """As the consumer does, and done when this returns."""
    async with stack.gateway.runtime.database.write(world.tenant_id) as session:
        await project(session, [event for _, event in world.events])
    world.events.clear()


async def test_a_token_is_waited_for(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅")
    token = f"{contact['id']}@1"
    late = asyncio.create_task(search(tenant.client, "晓梅", token=token))
    await stack.publish(world)
    async with asyncio.timeout(30):
        while (answer := await late)["partial"] == ["behind"]:
            late = asyncio.create_task(search(tenant.client, "晓梅", token=token))
    assert ([item["id"] for item in answer["data"]], answer["partial"]) == ([contact["id"]], [])
    answer = await search(tenant.client, "晓梅", token=f"{contact['id']}@2")
    assert answer["partial"] == ["behind"], "what does not come in time is told"
    answer = await tenant.client.get("/v1/customers?q=x", headers={"Consistency-Token": "nonsense"})
    assert answer.status_code == 400
    assert (await tenant.client.get("/v1/customers", headers={"Consistency-Token": "nonsense"})).status_code == 400
    listed = await tenant.client.get("/v1/customers", headers={"Consistency-Token": token})
    assert [item["id"] for item in listed.json()["data"]] == [contact["id"]]


async def test_a_stale_customer_that_a_token_names_is_composed_first(stack: Stack) -> None:
    from gateway.features.customers.backlog import project_backlog

    tenant, world = stack.tenant()
    account = world.create("account", name="云帆科技")
    contact = world.create("contact", full_name="欧阳晓梅", account_id=account["id"])
    database = stack.gateway.runtime.database
    async with database.write(tenant.id) as session:
        await project_backlog(session, [event for _, event in world.events])
        await session.execute(text("select pg_advisory_xact_lock(hashtextextended('stale_customer ' || :t, 0))"),
                              {"t": tenant.id})  # fmt: skip
    assert await found(tenant.client, "晓梅", token=f"{contact['id']}@1") == [contact["id"]]


async def test_old_texts_find_nobody_any_more(stack: Stack) -> None:
    tenant, world = stack.tenant()
    account = world.create("account", name="云帆科技")
    contact = world.create("contact", full_name="欧阳晓梅", account_id=account["id"])
    order = world.create("order", number="SO-1", contact_id=contact["id"])
    await apply(stack, world)
    assert set(await found(tenant.client, "云帆")) == {contact["id"], account["id"]}
    world.update(account["id"], name="星河科技")
    world.update(contact["id"], full_name="司马光")
    world.update(order["id"], contact_id=None, account_id=account["id"])
    await apply(stack, world)
    assert await found(tenant.client, "云帆") == await found(tenant.client, "晓梅") == []
    assert set(await found(tenant.client, "xinghe")) == {contact["id"], account["id"]}
    assert await found(tenant.client, "sima") == [contact["id"]]
    assert await found(tenant.client, "SO-1") == [account["id"]]
    world.update(contact["id"], account_id=None)
    world.delete(order["id"])
    await apply(stack, world)
    assert await found(tenant.client, "星河") == [account["id"]]
    assert await found(tenant.client, "SO-1") == []


async def test_who_is_deleted_is_not_found_and_leaves_no_byte(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅", wechat="wx-mei")
    world.create("order", number="SO-1", contact_id=contact["id"])
    await apply(stack, world)
    assert await found(tenant.client, "wx-mei")
    for each in world.all_of("order"):
        world.delete(each["id"])
    world.delete(contact["id"])
    await apply(stack, world)
    assert await found(tenant.client, "wx-mei") == []
    async with stack.gateway.runtime.database.read(tenant.id) as session:
        for table in ("customer_search", "search_number"):
            assert await session.scalar(text(f"select count(*) from {table}")) == 0


async def test_who_is_archived_is_found_where_that_is_asked_for(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅")
    other = world.create("contact", full_name="欧阳修")
    await apply(stack, world)
    world.update(contact["id"], archived_at="2026-10-01T08:00:00Z")
    await apply(stack, world)
    assert await found(tenant.client, "欧阳") == [other["id"]]
    assert await found(tenant.client, "欧阳", archived="true") == [contact["id"]]
    assert await found(tenant.client, "欧阳", archived="include") == [other["id"], contact["id"]]
    world.update(contact["id"], archived_at=None)
    await apply(stack, world)
    assert await found(tenant.client, "欧阳") == [other["id"], contact["id"]]


async def test_a_row_is_written_where_what_it_tells_has_changed(stack: Stack) -> None:
    tenant, world = stack.tenant()
    contact = world.create("contact", full_name="欧阳晓梅")
    await apply(stack, world)
    database = stack.gateway.runtime.database

    async def written() -> Any:
        async with database.read(tenant.id) as session:
            return await session.scalar(text("select xmin::text from customer_search"))

    before = await written()
    world.update(contact["id"], tags=["vip"])
    world.create("deal", contact_id=contact["id"])
    await apply(stack, world)
    assert await written() == before
    world.update(contact["id"], wechat="wx-mei")
    await apply(stack, world)
    assert await written() != before


@pytest.mark.parametrize("limit", [1, 7, 40])
async def test_pages_hold_each_once_the_best_first(stack: Stack, limit: int) -> None:
    tenant, world = stack.tenant()
    wanted = []
    for number in range(60):
        name = ["王", "王伟", "小王", "wang", "Wanng Smith", "汪洋"][number % 6]
        wanted.append(world.create("contact", full_name=name)["id"])
    await apply(stack, world)
    whole = (await search(tenant.client, "wang", limit=200))["data"]
    ranks = [item["matched"][0]["kind"] for item in whole]
    assert ranks == sorted(ranks, key=["whole", "pinyin", "typo"].index)
    assert {item["id"] for item in whole} == set(wanted)
    paged, cursor = [], None
    while True:
        answer = await search(tenant.client, "wang", limit=limit, **({"cursor": cursor} if cursor else {}))
        paged += answer["data"]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert paged == whole
    for path in (f"/v1/customers?q=li&cursor={'x' * 20}", "/v1/customers?q=li&limit=201"):
        assert (await tenant.client.get(path)).status_code in (400, 422)
    other = (await search(tenant.client, "wang", limit=1))["next_cursor"]
    assert (await tenant.client.get("/v1/customers", params={"q": "li", "cursor": other})).status_code == 400


async def test_what_very_many_have_is_told_to_be_common(stack: Stack) -> None:
    tenant, world = stack.tenant()
    for number in range(700):
        world.create("contact", full_name=f"王{'伟芳娜'[number % 3]}")
    only = world.create("contact", full_name="王")
    await apply(stack, world)
    answer = await search(tenant.client, "王", limit=200)
    assert answer["partial"] == ["common"]
    assert answer["data"][0]["id"] == only["id"]
    assert len(answer["data"]) == 200
    assert (await search(tenant.client, "不"))["partial"] == []


async def test_customers_from_before_are_made_findable_page_by_page(stack: Stack) -> None:
    tenant, world = stack.tenant()
    for number in range(450):
        contact = world.create("contact", full_name=f"欧阳{number}")
    world.create("order", number="SO-77", contact_id=contact["id"])
    await apply(stack, world)
    database = stack.gateway.runtime.database
    async with database.write(tenant.id) as session:
        await session.execute(text("delete from customer_search"))
        await session.execute(text("delete from search_number"))
        # As the migration leaves it, but for the worker, which begins where this is due.
        queue = "insert into search_filling (tenant_id, after_id, again_at) values (:t, '', now() + interval '1 day')"
        await session.execute(text(queue), {"t": tenant.id})
    assert await found(tenant.client, "欧阳449") == []
    async with database.write(tenant.id) as session:
        await session.execute(text("update search_filling set again_at = null"))
    async with asyncio.timeout(30):
        while (answer := await search(tenant.client, "欧阳449"))["partial"] == ["filling"]:
            await asyncio.sleep(0.05)
    assert [item["name"] for item in answer["data"]] == ["欧阳449"]
    assert await found(tenant.client, "SO-77") == [contact["id"]]
    async with database.read(tenant.id) as session:
        assert await session.scalar(text("select count(*) from customer_search")) == 450
        assert await session.scalar(text("select count(*) from search_filling where again_at > now()")) == 1
    assert await found(stack.gateway.tenant(TenantId.new()).client, "欧阳") == []
