"""`GET /v1/customers?q=`: by any part of what a customer is called and reached by, ranked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from crm_contracts.ids import TenantId
from crm_testkit.customer_world import World

Stack = Any
"""The fixture of conftest.py, whose class cannot be imported from there."""

Json = dict[str, Any]
Found = list[tuple[str, str, str]]


@dataclass
class Shop:
    """A tenant's customers, by what they are called here."""

    client: httpx.AsyncClient
    world: World
    names: dict[str, str]

    async def found(self, q: str, **parameters: Any) -> list[str]:
        """What those are called that are found, the best first."""
        answer = await self.client.get("/v1/customers", params={"q": q, **parameters})
        assert answer.status_code == 200, answer.text
        return [self.names[item["id"]] for item in answer.json()["data"]]

    async def matched(self, q: str) -> dict[str, list[tuple[str, str]]]:
        """By who is found, by what and how."""
        data = (await self.client.get("/v1/customers", params={"q": q})).json()["data"]
        return {self.names[each["id"]]: [(m["field"], m["kind"]) for m in each["matched"]] for each in data}


def email(address: str) -> Json:
    return {"address": address, "primary": True, "verified": False}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(stack: Stack) -> Shop:
    tenant, world = stack.tenant()
    names: dict[str, str] = {}

    def contact(called: str, **members: Any) -> Json:
        made = world.create("contact", **members)
        names[made["id"]] = called
        return made

    cloud = world.create("account", name="上海雲帆科技有限公司", domain="yunfan-tech.cn", phone="+862161234567",
                         external_ids={"erp": "KH-0001"})  # fmt: skip
    names[cloud["id"]] = "云帆"
    contact("张伟", full_name="张伟", phones=[{"number": "+8613800138000", "label": None}],
            emails=[email("wei.zhang@example.com")], wechat="zw_1980", account_id=cloud["id"])  # fmt: skip
    contact("单雄信", full_name="單雄信", external_ids={"shopify": "C-99127"})
    contact("欧阳晓梅", full_name="欧阳晓梅", emails=[email("Xiaomei.OuYang@Example.com")])
    contact("重阳", full_name="重阳")
    contact("Renée", full_name="Renée O’Neill", emails=[email("renee@oneill.fr")])
    contact("Quentin", full_name="Quentin Robertson", phones=[{"number": "+447911123456", "label": None}])
    contact("Robert", full_name="Robert", phones=[{"number": "+14155550123", "label": None}])
    order = contact("王芳", full_name="王芳")
    world.create("order", number="SO-2026-7781", external_id="TB55512", contact_id=order["id"])
    world.create("invoice", number="FP-2026-00912", contact_id=order["id"])
    world.create("ticket", number=42, contact_id=order["id"])
    await stack.publish(world)
    shop = Shop(tenant.client, world, names)
    async with __import__("asyncio").timeout(30):
        while "王芳" not in await shop.found("SO-2026-7781") or await shop.found("42") != ["王芳"]:
            await __import__("asyncio").sleep(0.05)
    return shop


@pytest.mark.parametrize(
    ("q", "who", "field", "kind"),
    [
        ("张伟", "张伟", "name", "whole"),
        ("張", "张伟", "name", "beginning"),
        ("伟", "张伟", "name", "part"),
        ("13800138000", "张伟", "phone", "exact"),
        ("+86 138-0013-8000", "张伟", "phone", "exact"),
        ("138 0013 8000", "张伟", "phone", "exact"),
        ("008613800138000", "张伟", "phone", "exact"),
        ("１３８００１３８", "张伟", "phone", "beginning"),
        ("0138000", "张伟", "phone", "part"),
        ("07911 123456", "Quentin", "phone", "exact"),
        ("(415) 555-0123", "Robert", "phone", "exact"),
        ("wei.zhang@example.com", "张伟", "email", "exact"),
        ("WEI.ZHANG", "张伟", "email", "beginning"),
        ("zhang@exam", "张伟", "email", "part"),
        ("zw_1980", "张伟", "wechat", "exact"),
        ("_198", "张伟", "wechat", "part"),
        ("c-99127", "单雄信", "external_id", "exact"),
        ("9912", "单雄信", "external_id", "part"),
        ("单雄", "单雄信", "name", "beginning"),
        ("ouyang@example.com", "欧阳晓梅", "email", "part"),
        ("renee o'neill", "Renée", "name", "whole"),
        ("oneill renée", "Renée", "name", "whole"),
        ("O'Neil", "Renée", "name", "beginning"),
        ("云帆", "云帆", "name", "part"),
        ("雲帆科技", "云帆", "name", "part"),
        ("yunfan-tech.cn", "云帆", "domain", "exact"),
        ("6123", "云帆", "phone", "part"),
        ("KH-0001", "云帆", "external_id", "exact"),
        ("SO-2026-7781", "王芳", "order_number", "exact"),
        ("FP-2026-00912", "王芳", "invoice_number", "exact"),
        ("so-2026", "王芳", "order_number", "beginning"),
        ("7781", "王芳", "order_number", "part"),
        ("tb55512", "王芳", "order_number", "exact"),
        ("42", "王芳", "ticket_number", "exact"),
        ("zhangwei", "张伟", "name", "pinyin"),
        ("Zhang Wei", "张伟", "email", "beginning"),
        ("zw", "张伟", "wechat", "beginning"),
        ("zhangw", "张伟", "name", "pinyin"),
        ("z wei", "张伟", "email", "beginning"),
        ("shanxx", "单雄信", "name", "pinyin"),
        ("danxiong", "单雄信", "name", "pinyin"),
        ("oyxm", "欧阳晓梅", "name", "pinyin"),
        ("ou yang xiao mei", "欧阳晓梅", "email", "beginning"),
        ("xiaom", "欧阳晓梅", "email", "beginning"),
        ("chongyang", "重阳", "name", "pinyin"),
        ("zhong yang", "重阳", "name", "pinyin"),
        ("yunfankeji", "云帆", "name", "pinyin"),
        ("yfkj", "云帆", "name", "pinyin"),
        ("zangwei", "张伟", "name", "sound"),
        ("wanfang", "王芳", "name", "sound"),
        ("章玮", "张伟", "name", "sound"),
        ("Quentn", "Quentin", "name", "typo"),
        ("qeuntin", "Quentin", "name", "typo"),
        ("robretsno", "Quentin", "name", "typo"),
        ("quentin robretson", "Quentin", "name", "beginning"),
        ("张伟 云帆", "张伟", "name", "whole"),
        ("yunfan zhangwei", "张伟", "name", "pinyin"),
        ("王芳 7781", "王芳", "name", "whole"),
        ("so-2026-7781 wangfang", "王芳", "order_number", "exact"),
    ],
)  # fmt: skip
async def test_is_found(shop: Shop, q: str, who: str, field: str, kind: str) -> None:
    matched = await shop.matched(q)
    assert who in matched, matched
    assert (field, kind) in matched[who]


@pytest.mark.parametrize(
    "q",
    [
        "不存在",
        "张伟 robert",
        "zhanglei",
        "qqq",
        "SO-2027",
        "13800138001",
        "%",
        "_",
        "张%",
        "'; --",
        "🙂",
        "\u202eabc",
        "42 robert",
    ],
)
async def test_is_not_found(shop: Shop, q: str) -> None:
    assert await shop.found(q) == (["张伟"] if q == "_" else [])


async def test_a_contact_is_found_by_its_company(shop: Shop) -> None:
    assert await shop.matched("云帆") == {"云帆": [("name", "part")], "张伟": [("company", "part")]}
    assert await shop.found("云帆", kind="contact") == ["张伟"]
    assert await shop.found("云帆", kind="account") == ["云帆"]


async def test_the_best_comes_first(shop: Shop) -> None:
    assert await shop.found("robert") == ["Robert", "Quentin"]
    assert (await shop.matched("robert"))["Quentin"] == [("name", "beginning")]


Ask = Callable[[], Awaitable[Any]]


async def test_words_of_all_kinds_are_no_fault(shop: Shop) -> None:
    for q in ("", " ", "\u200b", "\t\n"):
        listed = (await shop.client.get("/v1/customers", params={"q": q})).json()
        assert len(listed["data"]) == len(shop.names), "nothing is asked for: all are listed"
    for q, status in (("a " * 9, 200), ("a b c d e f g h i", 422), ("x" * 201, 422), ("\x00\x01张伟\x7f", 200)):
        answer = await shop.client.get("/v1/customers", params={"q": q})
        assert answer.status_code == status, q
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == "?q"
    answer = await shop.client.get("/v1/customers?q=%ff%fe%ed%a0%80")
    assert (answer.status_code, answer.json()["data"]) == (200, [])


async def test_another_tenant_finds_nothing(stack: Stack, shop: Shop) -> None:
    other = stack.gateway.tenant(TenantId.new()).client
    for q in ("张伟", "13800138000", "SO-2026-7781", "zhangwei", "a"):
        assert (await other.get("/v1/customers", params={"q": q})).json()["data"] == []
