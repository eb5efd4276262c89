"""Where an account stands among others: over HTTP, as deep and as wide as it goes."""

from typing import Any

from crm_contracts.ids import UserId
from crm_kit.resources.tree import MAX_DEPTH
from crm_kit.rights import Rights
from crm_kit.rights.grants import ACTIONS, Grant
from crm_testkit.service import ServiceUnderTest, Tenant


async def _account(tenant: Tenant, name: str, **members: Any) -> str:
    return str((await tenant.create("/v1/accounts", name=name, **members))["id"])


async def _chain(tenant: Tenant, length: int, parent: str | None = None) -> list[str]:
    """Each beneath the one before."""
    made: list[str] = []
    for number in range(length):
        made.append(await _account(tenant, f"Level {number}", parent_id=made[-1] if made else parent))
    return made


def _names(branches: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(branch["account"]["name"], branch["has_children"]) for branch in branches]


async def test_an_account_stands_beneath_its_ancestors_and_above_its_children(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    top, middle = await _chain(tenant, 2)
    for name in ("a", "b", "c"):
        await _account(tenant, name, parent_id=middle)
    east = await _account(tenant, "east", parent_id=middle)
    await _account(tenant, "far east", parent_id=east)

    found = await tenant.read(f"/v1/accounts/{east}/hierarchy")
    assert [each["id"] for each in found["ancestors"]] == [top, middle]
    assert _names(found["children"]) == [("far east", False)]

    page = await tenant.read(f"/v1/accounts/{middle}/hierarchy", sort="name", limit=3)
    assert _names(page["children"]) == [("a", False), ("b", False), ("c", False)]
    rest = await tenant.read(f"/v1/accounts/{middle}/hierarchy", sort="name", limit=3, cursor=page["next_cursor"])
    assert (_names(rest["children"]), rest["next_cursor"]) == ([("east", True)], None)
    assert _names((await tenant.read(f"/v1/accounts/{middle}/hierarchy", name="b"))["children"]) == [("b", False)]
    assert (await tenant.read(f"/v1/accounts/{top}/hierarchy"))["ancestors"] == []


async def test_what_moves_along_counts_for_how_deep_it_gets(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    deep = await _chain(tenant, MAX_DEPTH - 2)
    upper, lower, _ = await _chain(tenant, 3)

    async def moved(account: str, parent: str) -> tuple[int, str | None]:
        answer = await tenant.client.patch(f"/v1/accounts/{account}", json={"parent_id": parent})
        return answer.status_code, answer.json()["errors"][0]["code"] if answer.status_code == 422 else None

    assert await moved(upper, deep[-1]) == (422, "too_deep")
    assert await moved(lower, deep[-1]) == (200, None)
    assert await moved(deep[0], upper) == (422, "too_deep")


async def test_a_parent_that_is_gone_ends_the_line(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    top, middle, low = await _chain(tenant, 3)
    assert (await tenant.client.delete(f"/v1/accounts/{top}")).status_code == 204
    found = await tenant.read(f"/v1/accounts/{low}/hierarchy")
    assert [each["id"] for each in found["ancestors"]] == [middle]
    assert (await tenant.client.get(f"/v1/accounts/{top}/hierarchy")).status_code == 404


async def test_nobody_sees_more_of_it_than_of_the_accounts(service: ServiceUnderTest) -> None:
    tenant, me, other = service.tenant(), UserId.new(), UserId.new()
    top = await _account(tenant, "top", owner_id=me, industry="x")
    hidden = await _account(tenant, "hidden", owner_id=other, parent_id=top)
    mine = await _account(tenant, "mine", owner_id=me, parent_id=hidden)
    child = await _account(tenant, "child", owner_id=me, parent_id=mine)
    await _account(tenant, "secret", owner_id=other, parent_id=child)
    await _account(tenant, "secret too", owner_id=other, parent_id=mine)
    fields: Any = {"open": "read"}
    grant = Grant(frozenset({"accounts"}), frozenset(ACTIONS), "own", fields)
    i = service.tenant(tenant.id, rights=Rights(me, (), [grant], admin=False))
    found = await i.read(f"/v1/accounts/{mine}/hierarchy")
    assert [each["id"] for each in found["ancestors"]] == [top]
    assert _names(found["children"]) == [("child", False)]
    assert "phone" not in found["ancestors"][0]
    assert (await i.client.get(f"/v1/accounts/{hidden}/hierarchy")).status_code == 404
    assert (await service.tenant().client.get(f"/v1/accounts/{top}/hierarchy")).status_code == 404
