"""Search by a part of a name, through the public door."""

from typing import Any

import asyncpg
import pytest
from contacts_svc.features.accounts.models import AccountRow
from contacts_svc.features.contacts.models import ContactRow
from contacts_svc.features.contacts.repository import FIELDS
from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import UserId
from crm_kit.conditions import compile_condition, parse
from crm_kit.db.migrations import differences
from crm_kit.db.models import columns, utc_now
from crm_kit.http.pagination import Cursors, PageRequest, fetch_page, parse_sort
from crm_kit.http.searching import Search, fetch_found
from crm_kit.keyring import Keyring
from crm_kit.rights import Rights
from crm_kit.rights.grants import Grant
from crm_testkit.service import ServiceUnderTest, Tenant
from sqlalchemy import Executable, Result, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

NAMES = [
    "王晓梅",
    "王小明",
    "欧阳晓梅",
    "Mei Wang",
    "meier",
    "Xiaomei Li",
    "100% Tea_House",
    "a\\b",
    "👩‍👩‍👧 Lee",
    "İpek",
    "Straße",
    "ΣΑΣ",
]


async def _found(tenant: Tenant, path: str, field: str, part: str, sort: str = "-created_at") -> list[str]:
    """What three pages or more of a search show of that field."""
    found, cursor = [], None
    while True:
        body = {
            "where": {"field": field, "op": "contains", "value": part},
            "limit": 2,
            "sort": [sort],
            "cursor": cursor,
        }
        answer = await tenant.client.post(f"{path}/search", json={k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 200, answer.text
        found += [each[field] for each in answer.json()["data"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize(("path", "field"), [("/v1/contacts", "full_name"), ("/v1/accounts", "name")])
async def test_a_part_of_a_name_is_found_as_it_is_written(service: ServiceUnderTest, path: str, field: str) -> None:
    tenant, other = service.tenant(), service.tenant()
    for name in NAMES:
        await tenant.create(path, **{field: name})
    await other.create(path, **{field: "王晓梅"})
    parts = [
        "",
        "梅",
        "晓梅",
        "王",
        "王小",
        "mei",
        "Mei",
        "MEI",
        "e",
        "%",
        "_",
        "\\",
        "a\\b",
        "👩",
        "\u200d",
        "i",
        "ß",
        "Σ",
    ]
    for part in [*parts, "晓明", "0% T", "Xiaomei Li", "Xiaomei Li ", "欧阳晓梅"]:
        expected = [name for name in reversed(NAMES) if part in name]
        assert await _found(tenant, path, field, part) == expected, part
        assert await _found(tenant, path, field, part, field) == sorted(expected), part
        assert await _found(tenant, path, field, part, f"-{field}") == sorted(expected, reverse=True), part


async def test_a_part_is_found_in_the_name_of_now(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", first_name="晓梅", last_name="王", full_name="Mei")
    assert await _found(tenant, "/v1/contacts", "first_name", "晓") == ["晓梅"]
    assert await _found(tenant, "/v1/contacts", "full_name", "晓") == []
    answer = await tenant.client.patch(
        f"/v1/contacts/{contact['id']}", json={"first_name": "小明", "last_name": "李", "full_name": "Ming"}
    )
    assert answer.status_code == 200, answer.text
    assert await _found(tenant, "/v1/contacts", "first_name", "晓") == []
    assert await _found(tenant, "/v1/contacts", "last_name", "李") == ["李"]


async def test_a_search_shows_what_the_caller_may_see(service: ServiceUnderTest) -> None:
    me, tenant = UserId.new(), service.tenant()
    for owner_id in (me, UserId.new(), me):
        await tenant.create("/v1/contacts", full_name="王晓梅", owner_id=owner_id)
    grant = Grant(frozenset(["contacts"]), frozenset(["read"]), "own", {"open": "read", "personal": "read"})
    mine = service.tenant(tenant.id, rights=Rights.parse(Rights(me, (), (grant,), admin=False).text))
    assert await _found(mine, "/v1/contacts", "full_name", "晓梅") == ["王晓梅"] * 2
    assert await _found(tenant, "/v1/contacts", "full_name", "晓梅") == ["王晓梅"] * 3


class _Explaining:
    """Notes the plan of what it executes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def execute(self, statement: Executable, /) -> Result[Any]:
        assert isinstance(statement, Select)
        compiled = statement.compile(dialect=self._connection.dialect)
        values = tuple(compiled.params[name] for name in compiled.positiontup or ())
        plan = await self._connection.exec_driver_sql(f"explain {compiled}", values)
        self.plans.append("\n".join(line for (line,) in plan))
        return await self._connection.execute(statement)


async def _of_20_000(service: ServiceUnderTest) -> Tenant:
    """A tenant with so many contacts, each with an address of its own; one of them is 王晓梅."""
    tenant = service.tenant()
    contact = await tenant.create("/v1/contacts", full_name="王晓梅", emails=[{"address": "mei@example.com"}])
    owner = await asyncpg.connect(service.urls.owner)
    await owner.execute("select set_config('app.tenant_id', $1, false)", tenant.id)
    names = [column.name for column in columns(ContactRow) if column.computed is None]
    anew = {
        "id": "'contact_0' || to_char(n, 'FM0000000000000000000000000')",
        "full_name": "'Anna ' || n",
        "email_keys": "array['anna' || n || '@example.com']",
    }
    listed, copied = ", ".join(names), ", ".join(anew.get(name, name) for name in names)
    await owner.execute(
        f"insert into contact ({listed}) select {copied} from contact, generate_series(1, 20000) as n where id = $1",
        contact["id"],
    )
    await owner.execute("vacuum analyze contact")
    await owner.close()
    return tenant


@pytest.mark.parametrize("sort", ["-created_at", "full_name"])
async def test_keys_are_looked_up_before_anything_else(service: ServiceUnderTest, sort: str) -> None:
    """Of addresses PostgreSQL knows nothing: it would walk the list for what one in 20,000 has, or read the table."""
    tenant = await _of_20_000(service)
    for op, value in (("eq", "mei@example.com"), ("in", [f"anna{number}@example.com" for number in range(1, 101)])):
        condition = parse({"field": "email", "op": op, "value": value}, FIELDS)
        statement = select(columns(ContactRow).id).where(compile_condition(condition, now=utc_now()))
        cursors = Cursors(Keyring("a secret of the service"), tenant_id=tenant.id, resource="contacts")
        async with service.runtime.database.engine.connect() as connection:
            await connection.execute(select(func.set_config("app.tenant_id", tenant.id, True)))
            explaining = _Explaining(connection)
            page = await fetch_page(explaining, statement, PageRequest(parse_sort(sort, FIELDS)), cursors)
        assert len(page.rows) == (1 if op == "eq" else 50)
        for plan in explaining.plans:
            assert "Bitmap Index Scan on contact_email_keys" in plan, plan
            assert "(id = ANY ((InitPlan" in plan, plan
            assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("sort", ["-created_at", "full_name"])
async def test_the_index_on_grams_serves_a_search_under_row_level_security(
    service: ServiceUnderTest, sort: str
) -> None:
    tenant = await _of_20_000(service)
    condition, now = parse({"field": "full_name", "op": "contains", "value": "晓梅"}, FIELDS), utc_now()
    search = Search(
        compile_condition(condition, now=now), by_grams=compile_condition(condition, now=now, by_grams=True)
    )
    cursors = Cursors(Keyring("a secret of the service"), tenant_id=tenant.id, resource="contacts")
    async with service.runtime.database.engine.connect() as connection:
        await connection.execute(select(func.set_config("app.tenant_id", tenant.id, True)))
        explaining = _Explaining(connection)
        await fetch_found(explaining, select(ContactRow), PageRequest(parse_sort(sort, FIELDS)), cursors, search)
    *walks, found = explaining.plans
    assert all("Sort" not in walk.partition("Subquery Scan on walked")[2] for walk in walks), walks
    assert "Bitmap Index Scan on contact_name_grams" in found, found
    assert "Seq Scan" not in found, found


async def test_an_older_release_writes_what_is_found(service: ServiceUnderTest) -> None:
    """Neither its model nor its statements know of the grams."""
    assert "name_grams" not in str(select(ContactRow)) + str(select(AccountRow))
    async with service.runtime.database.engine.connect() as connection:
        assert list(await connection.run_sync(lambda sync: list(differences(sync, MANIFEST.metadata)))) == []
